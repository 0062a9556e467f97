"""The stack comes up confined, is called from outside and scaled, while it trains the demo."""

import json
import time

import httpx
import pytest

from .command import run
from .conftest import TAG
from .stack import SCALED, Stack, wait_until

# In the order of the files and in them: each test is a moment in the life of one stack.
pytestmark = pytest.mark.timeout(3600)
SERVICES = ("rollout", "reward", "judge", "sandbox", "trainer")
CONNECT = """
import socket
for host, port in {}:
    try:
        socket.create_connection((host, port), 3).close()
        print(host)
    except OSError:
        pass
"""
INFO = "print(r.urlopen('http://127.0.0.1:8104/v1/info').read().decode())"
METRICS = "print(r.urlopen('http://127.0.0.1:8104/metrics').read().decode())"
IMPORT = "import urllib.request as r; "


@pytest.mark.parametrize("service", SERVICES)
def test_no_image_has_a_compiler_a_cache_or_a_key(images: None, service: str) -> None:
    image = f"plaudit-{service}:{TAG}"
    look = (
        "/usr/bin /usr/local/bin /opt /root /tmp -name cc -o -name gcc -o -name g++ -o -name .cache"
    )
    start = ["docker", "run", "--rm", "--user", "0", "--entrypoint", "find", image]
    assert run(*start, *look.split()) == ""
    config = json.loads(run("docker", "inspect", image))[0]["Config"]
    assert config["User"] == "10001"
    assert config["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert len(config["Labels"]["org.opencontainers.image.revision"]) == 40
    assert not [line for line in config["Env"] if "KEY" in line or "INDEX" in line]


def test_everything_comes_up(stack: Stack) -> None:
    for service in ("redis", "reward-rules", "reward-code", "reward-model", "judge-self"):
        stack.wait_healthy(service)
    wait_until(lambda: stack.status() is not None, "the run's page answers", 300)
    print(f"\nup after {time.monotonic() - stack.started_at_s:.0f} s")


def test_the_sandbox_reaches_neither_redis_nor_anybody_else(stack: Stack) -> None:
    networks = stack.inspect(stack.containers("redis")[0])["NetworkSettings"]["Networks"]
    address = next(iter(networks.values()))["IPAddress"]
    places = [("redis", 6379), (address, 6379), ("reward", 8102), ("1.1.1.1", 53)]
    places.append(("rollout-engine", 8201))
    (sandbox,) = stack.containers("sandbox")
    assert stack.python(sandbox, CONNECT.format(places)) == ""
    (worker,) = stack.containers("reward-code")
    assert stack.python(worker, CONNECT.format([*places, ("sandbox", 8104)])).split() == [
        "redis",
        address,
        "reward",
        "sandbox",
    ]


def test_its_programs_are_behind_the_basic_tier(stack: Stack) -> None:
    (sandbox,) = stack.containers("sandbox")
    assert json.loads(stack.python(sandbox, IMPORT + INFO))["tier"] == "basic"


def test_containers_can_do_little(stack: Stack) -> None:
    look = "import os; print(os.getuid()); open('/usr/x', 'w')"
    for service in SERVICES:
        host = stack.inspect(stack.containers(service)[0])["HostConfig"]
        assert host["ReadonlyRootfs"]
        assert host["CapDrop"] == ["ALL"]
        with pytest.raises(AssertionError, match="Read-only file system"):
            stack.python(stack.containers(service)[0], look)


def test_an_evaluation_job_from_outside_is_judged(stack: Stack) -> None:
    request = {
        "prompt": [{"role": "user", "content": "2+2="}],
        "a": "4",
        "b": "5",
        "judge": "self",
        "rubric": "demo",
        "lane": "eval",
    }
    url = f"{stack.url('judge')}/v1/pairwise"
    assert httpx.post(url, json=request, verify=False).status_code == 401
    headers = {"Authorization": f"Bearer {stack.key}"}
    answer = httpx.post(url, json=request, headers=headers, verify=False, timeout=120)
    assert answer.status_code == 200, answer.text
    assert answer.json()["votes"]


def test_two_services_scale_and_the_new_sandboxes_get_programs(stack: Stack) -> None:
    stack.up(*SCALED)
    stack.wait_healthy("reward-rules", 4)
    stack.wait_healthy("sandbox", 3)
    sandboxes = stack.containers("sandbox")

    def all_have_work() -> bool:
        score_programs(stack)
        return all(num_runs(stack, sandbox) for sandbox in sandboxes)

    # The workers' connections to the first one are kept for 30 s.
    waited_s = wait_until(all_have_work, "programs in each sandbox", 120)
    print(f"\nnew sandboxes have work after {waited_s:.0f} s")


def score_programs(stack: Stack) -> None:
    """A program whose answer is not known yet, for each of 8 completions."""
    text = f"```python\nprint(int(input()) + 1) # {time.monotonic()}\n```"
    group = {
        "group_id": "g",
        "prompt": [],
        "completions": [{"text": f"{text} {index}", "num_tokens": 9} for index in range(8)],
        "reference": {"tests": [{"stdin": "1\n", "stdout": "2\n"}]},
    }
    body = {"groups": [group], "rewards": [{"name": "code"}]}
    headers = {"Authorization": f"Bearer {stack.key}"}
    url = f"{stack.url('reward')}/v1/score"
    answer = httpx.post(url, json=body, headers=headers, verify=False, timeout=60)
    (scored,) = answer.json()["groups"]
    assert [score["rewards"]["code"] for score in scored["scores"]] == [1.0] * 8, answer.text


def num_runs(stack: Stack, sandbox: str) -> float:
    lines = stack.python(sandbox, IMPORT + METRICS).splitlines()
    counts = [line.split()[1] for line in lines if line.startswith("plaudit_sandbox_runs_total")]
    return sum(map(float, counts))
