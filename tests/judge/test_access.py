"""What a named key may ask of the judge. The API runs; nothing needs a worker."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr, ValidationError

from plaudit.testing import running
from plaudit_judge.app import make_app
from plaudit_judge.judges.self_judge import SelfSpec
from plaudit_judge.settings import JudgeKey, JudgeSettings

# why: without `verify=False` every call loads the certificates again, 45 ms of CPU.
get = partial(httpx.get, verify=False)
post = partial(httpx.post, verify=False)

PROMPT = [{"role": "user", "content": "Count."}]
PAIR = {"prompt": PROMPT, "a": "1", "b": "2", "rubric": "demo"}
GROUP = {"prompt": PROMPT, "responses": ["1", "2"], "rubric": "demo", "lane": "eval"}
PLAIN = "plain-key-of-ours"
LIMITS: dict[str, dict[str, Any]] = {
    "external": {"lanes": ["eval"], "judges": ["self"], "max_items": 2},
    "other": {"scopes": ["pairwise"]},
}


@pytest.fixture
def url(redis_url: str, tmp_path: Path) -> Iterator[str]:
    for name in LIMITS:
        (tmp_path / name).write_text(f"the-key-of-{name}")
    keys = {name: JudgeKey(api_key_file=tmp_path / name, **LIMITS[name]) for name in LIMITS}
    settings = JudgeSettings(
        port=0,
        redis_url=redis_url,
        judges={"second": SelfSpec()},
        api_keys=[SecretStr(PLAIN)],
        keys=keys,
    )
    with running(make_app(settings)) as url:
        yield url


def ask(
    url: str, key: str, verb: str, body: dict[str, Any], **headers: str
) -> list[httpx.Response]:
    """By the verb itself, which nobody answers in time, and as a job."""
    headers = {"authorization": f"Bearer {key}", "x-deadline-s": "0.05", **headers}
    job = {"verb": verb, "request": body}
    return [
        post(f"{url}/v1/{verb}", json=body, headers=headers),
        post(f"{url}/v1/jobs", json=job, headers=headers),
    ]


def codes(answers: list[httpx.Response]) -> list[int]:
    return [answer.status_code for answer in answers]


ACCEPTED = [504, 202]


def test_what_a_key_may_ask_for_is_queued(url: str) -> None:
    assert codes(ask(url, "the-key-of-external", "tournament", GROUP)) == ACCEPTED


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"lane": "train"}, 403, "may not ask for 'train': keys.external.lanes = eval"),
        ({"judge": "second"}, 403, "may not ask for 'second': keys.external.judges = self"),
        ({"responses": ["1", "2", "3"]}, 413, "3 items; keys.external.max_items = 2"),
    ],
)
def test_what_it_may_not_is_refused_by_name_and_counted(
    url: str, change: dict[str, Any], status: int, said: str
) -> None:
    for answer in ask(url, "the-key-of-external", "tournament", GROUP | change):
        assert answer.status_code == status
        assert said in answer.json()["detail"]
        assert answer.json()["retryable"] is False
    assert codes(ask(url, PLAIN, "tournament", GROUP | change)) == ACCEPTED
    limit = said.partition("keys.external.")[2].partition(" ")[0]
    metrics = get(f"{url}/metrics").text
    assert f'plaudit_http_key_refusals_total{{key="external",limit="{limit}"' in metrics


def test_a_calibration_may_have_as_many_items_as_a_group_has_responses(url: str) -> None:
    item = {key: PAIR[key] for key in ("prompt", "a", "b")} | {"gold": "a"}
    for num, expected in ((2, ACCEPTED), (3, [413, 413])):
        body = {"pairs": [item] * num, "rubric": "demo"}
        assert codes(ask(url, "the-key-of-external", "calibrate", body)) == expected


def test_a_pair_counts_no_responses(url: str) -> None:
    answers = ask(url, "the-key-of-external", "pairwise", PAIR | {"lane": "eval"})
    assert codes(answers) == ACCEPTED


def test_a_verb_needs_its_scope_as_a_job_too(url: str) -> None:
    assert codes(ask(url, "the-key-of-other", "tournament", GROUP)) == [403, 403]
    assert codes(ask(url, "the-key-of-other", "pairwise", PAIR)) == ACCEPTED


def test_two_callers_may_use_the_same_idempotency_key_for_different_requests(url: str) -> None:
    first = ask(url, "the-key-of-external", "tournament", GROUP, **{"idempotency-key": "k"})
    second = GROUP | {"responses": ["3", "4"]}
    answers = ask(url, PLAIN, "tournament", second, **{"idempotency-key": "k"})
    assert [codes(first), codes(answers)] == [ACCEPTED, ACCEPTED]
    assert first[1].json()["job_id"] == "tournament@external.k"
    assert answers[1].json()["job_id"] == "tournament.k"


def test_a_key_names_judges_that_there_are() -> None:
    key = JudgeKey(api_key_env="EXTERNAL_KEY", judges=["opus"])
    with pytest.raises(ValidationError, match=r"keys.external.judges: no 'opus'; there are self"):
        JudgeSettings(keys={"external": key})
