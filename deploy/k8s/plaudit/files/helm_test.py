"""`helm test`: an answer is scored, a program is run, a judge answers.

Arguments: the address of reward, that of judge, the judge's name, the file with the API key.
"""

import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

ATTEMPTS, PAUSE_S, TIMEOUT_S = 10, 5.0, 60.0


def main(reward: str, judge: str, judge_name: str, key_file: str) -> int:
    key = Path(key_file).read_text(encoding="utf-8").strip()
    checks: dict[str, Callable[[], str]] = {
        "reward: an answer": lambda: score(reward, key, "accuracy", "It is 18.", {"answer": "18"}),
        "reward: a program": lambda: score(
            reward,
            key,
            "code",
            "```python\nprint(int(input()) + 1)\n```",
            {"tests": [{"stdin": "1\n", "stdout": "2\n"}]},
        ),
        f"judge {judge_name}": lambda: compare(judge, key, judge_name),
    }
    failed = 0
    for name, check in checks.items():
        problem = check()
        failed += bool(problem)
        sys.stdout.write(f"{'FAIL' if problem else 'ok  '} {name} {problem}\n")
    return min(failed, 1)


def score(url: str, key: str, reward: str, text: str, reference: dict[str, Any]) -> str:
    """What is wrong, or an empty text."""
    completions = [{"text": text, "num_tokens": 5}]
    group = {"group_id": "helm-test", "prompt": [], "completions": completions}
    body = {"groups": [group | {"reference": reference}], "rewards": [{"name": reward}]}
    answer = post(f"{url}/v1/score", key, body)
    if "groups" not in answer:
        return json.dumps(answer)
    found = answer["groups"][0]["scores"][0]
    return "" if found["total"] == 1.0 else json.dumps(found)


def compare(url: str, key: str, judge: str) -> str:
    """A verdict that could not be parsed is an answer, too: tiny models give such."""
    prompt = [{"role": "user", "content": "What is 7 * 8?"}]
    body = {"prompt": prompt, "a": "56", "b": "54", "judge": judge}
    answer = post(f"{url}/v1/pairwise", key, body)
    return "" if "winner" in answer else json.dumps(answer)


def post(url: str, key: str, body: dict[str, Any]) -> dict[str, Any]:
    """The answer, or the last problem document; tried again while that says that it may help."""
    answer: dict[str, Any] = {}
    for _ in range(ATTEMPTS):
        answer = post_once(url, key, body)
        if not answer.get("retryable"):
            break
        time.sleep(PAUSE_S)
    return answer


def post_once(url: str, key: str, body: dict[str, Any]) -> dict[str, Any]:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
            found: dict[str, Any] = json.load(response)
    except urllib.error.HTTPError as error:
        found = json.loads(error.read() or b"{}") | {"status": error.code}
    except OSError as error:
        found = {"detail": str(error), "retryable": True}
    return found


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
