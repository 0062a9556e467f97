"""API, workers and sandbox as processes that get killed."""

import asyncio
import re
import subprocess
import sys
import time
from typing import Any

import httpx
import pytest

from plaudit.errors import Rejected
from plaudit.schemas.job import JobView
from plaudit.schemas.reward import RewardSpec, ScoreRequest, ScoreResponse
from plaudit.testing import descendants, free_port, frozen

ADDS = [{"stdin": "1\n", "stdout": "2\n"}]
PROGRAM = "```python\nprint(int(input()) + 1)\n```"
SLOW = "```python\nimport time; time.sleep(1.5); print(int(input()) + 1)\n```"

HANGS = "```python\nimport time; time.sleep(60)\n```"


def only(response: ScoreResponse) -> Any:
    [group] = response.groups
    return group.scores[0]


async def test_scores_through_all_its_processes(service: Any, group: Any) -> None:
    running = await service()
    await running.work("rules", "code")
    asked = group("18", PROGRAM, tokens=[3, 9], answer="18", tests=ADDS)
    response = await running.score(asked, "accuracy", "code", "length", "format", "repetition")
    first, second = response.groups[0].scores
    others = {"format": 0, "repetition": 0}
    assert first.rewards == {"accuracy": 1, "code": 0, "length": 0.5} | others
    assert second.rewards == {"accuracy": 0, "code": 1, "length": -0.5} | others
    assert (first.total, second.total, first.errors) == (1.5, 0.5, {})
    # The same key with another body is another question.
    wrong = await running.score(group("19", answer="18"), "accuracy", key="same")
    right = await running.score(group("18", answer="18"), "accuracy", key="same")
    assert (only(wrong).total, only(right).total) == (0.0, 1.0)


async def test_a_worker_killed_in_the_middle_costs_time_and_nothing_else(
    service: Any, group: Any
) -> None:
    running = await service()
    [worker] = await running.work("code")
    asking = asyncio.create_task(running.score(group(SLOW, tests=ADDS), "code"))
    await asyncio.sleep(0.5)
    worker.kill()
    await asyncio.sleep(0.3)
    assert not asking.done()
    worker.start()
    assert only(await asking).rewards == {"code": 1.0}


async def test_a_restarted_api_hands_out_the_results_that_exist(service: Any, group: Any) -> None:
    running = await service()
    [worker] = await running.work("rules")
    asked = group(r"\boxed{\frac{36}{2}}", answer="18")
    before = await running.score(asked, "accuracy", key="run/1/2")
    worker.stop()
    running.api.kill()
    running.api.start()
    after = await running.score(asked, "accuracy", key="run/1/2", timeout_s=60)
    assert only(after).rewards == only(before).rewards == {"accuracy": 1.0}


async def test_a_pool_that_does_not_answer_is_null_and_the_others_count(
    service: Any, group: Any
) -> None:
    running = await service(score_timeout_s="1")
    await running.work("rules")
    rewards = [RewardSpec(name="accuracy"), RewardSpec(name="code")]
    asked = ScoreRequest(groups=[group("18", answer="18", tests=ADDS)], rewards=rewards)
    started = time.monotonic()
    async with httpx.AsyncClient(base_url=running.url, timeout=30) as http:
        answer = await http.post("/v1/score", json=asked.model_dump())
    score = only(ScoreResponse.model_validate(answer.json()))
    assert time.monotonic() - started < 20
    assert (score.total, score.rewards) == (1.0, {"accuracy": 1.0, "code": None})
    assert score.errors["code"] == (
        "the pool 'code' had not answered after 1 s (queued); are its workers running?"
    )


async def test_a_reward_that_hangs_past_the_callers_time_costs_the_group_only_itself(
    service: Any, group: Any
) -> None:
    running = await service()
    await running.work("rules", "code")
    asked = group("18", HANGS, answer="18", tests=ADDS)
    response = await running.score(asked, "accuracy", "code", timeout_s=6)
    for score, accuracy in zip(response.groups[0].scores, (1.0, 0.0), strict=True):
        assert (score.total, score.rewards) == (accuracy, {"accuracy": accuracy, "code": None})
        assert re.match(r"the pool 'code' had not answered after [34]\.", score.errors["code"])


async def test_a_reward_that_hangs_costs_no_other_reward_of_its_own_pool(
    service: Any, group: Any
) -> None:
    """Math-Verify's processes are stopped, and nobody notices in time."""
    running = await service(verify_timeout_s="60")
    [worker] = await running.work("rules")
    await running.score(group(r"\boxed{\frac{6}{2}}", answer="3"), "accuracy")
    asked = group(r"\boxed{\frac{36}{2}}", tokens=[3], answer="18")
    with frozen(descendants(worker.pid)):
        score = only(await running.score(asked, "accuracy", "format", key="k", timeout_s=5))
        assert (score.total, score.rewards) == (0.0, {"accuracy": None, "format": 0.0})
        assert "the pool 'rules' had not answered after" in score.errors["accuracy"]
    # The worker has gone on with it, and the same key finds the rest.
    score = only(await running.score(asked, "accuracy", "format", key="k", timeout_s=60))
    assert (score.rewards, score.errors) == ({"accuracy": 1.0, "format": 0.0}, {})


async def test_a_late_answer_is_there_for_the_next_try_with_the_same_key(
    service: Any, group: Any
) -> None:
    running = await service()
    asked = group(PROGRAM, tests=ADDS)
    assert only(await running.score(asked, "code", key="k", timeout_s=2)).total is None
    running.worker("code")
    assert only(await running.score(asked, "code", key="k", timeout_s=60)).total == 1.0


async def test_a_sandbox_that_is_down_is_null_until_it_is_up(service: Any, group: Any) -> None:
    """The null is not kept: the same key gives a value once there is one."""

    port = str(free_port())
    running = await service(sandbox=f"http://127.0.0.1:{port}", sandbox_timeout_s="1")
    running.worker("code")
    asked = group(PROGRAM, "no code", tests=ADDS)
    response = await running.score(asked, "code", key="k")
    down, without = response.groups[0].scores
    assert (down.total, without.total) == (None, 0.0)
    assert "the sandbox could not run the tests: sandbox at http://127.0.0.1" in down.errors["code"]
    sandbox = type(running.api)("plaudit_sandbox", "api", PLAUDIT_SANDBOX_PORT=port)
    running.processes.append(sandbox)
    async with asyncio.timeout(20):
        while (score := only(await running.score(asked, "code", key="k"))).total is None:
            await asyncio.sleep(0.1)
    assert score.total == 1.0


async def test_a_job_is_accepted_and_looked_at(service: Any, group: Any) -> None:
    running = await service()
    rewards = [RewardSpec(name="accuracy"), RewardSpec(name="code", weight=2.0)]
    request = ScoreRequest(groups=[group(PROGRAM, answer="1", tests=ADDS)], rewards=rewards)
    body = {"verb": "score", "request": request.model_dump()}
    headers = {"idempotency-key": "a job"}
    async with httpx.AsyncClient(base_url=running.url, headers=headers) as http:
        accepted = await http.post("/v1/jobs", json=body)
        assert (accepted.status_code, accepted.json()["status"]) == (202, "queued")
        path = f"/v1/jobs/{accepted.json()['job_id']}"
        running.worker("rules")
        assert (await http.get(path)).json()["status"] in ("queued", "running")
        running.worker("code")
        view = JobView.model_validate(
            (await http.get(path, params={"wait": 20}, timeout=30)).json()
        )
        again = await http.post("/v1/jobs", json=body)
        assert (again.json()["job_id"], again.json()["status"]) == (view.job_id, "done")
        assert (await http.get("/v1/jobs/score.unknown")).status_code == 404
    assert view.status == "done"
    score = only(ScoreResponse.model_validate(view.result))
    assert (score.total, score.rewards) == (2.0 + score.rewards["accuracy"], score.rewards)


async def test_wrong_requests_are_422_and_name_the_field(service: Any, group: Any) -> None:
    running = await service()
    with pytest.raises(Rejected, match="did you mean `accuracy`"):
        await running.score(group("1"), "acuracy")
    good = ScoreRequest(groups=[group("1")], rewards=[RewardSpec(name="format")]).model_dump_json()
    async with httpx.AsyncClient(base_url=running.url) as http:

        async def post(content: str, **headers: str) -> httpx.Response:
            headers = {"content-type": "application/json"} | headers
            return await http.post("/v1/score", content=content, headers=headers)

        for deadline in ("0", "-1", "nan", "inf", "x", ""):
            answer = await post(good, **{"x-deadline-s": deadline})
            assert (answer.status_code, "X-Deadline-S" in answer.text) == (422, True)
        answer = await post('{"groups": [], "rewards": [{"name": "format"}]}')
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "groups")
        answer = await post('{"groups": [{"group_id": "g", "completions": []}]')
        assert answer.status_code == 422
        job = await http.post("/v1/jobs", json={"verb": "score", "request": {"groups": 1}})
        assert job.status_code == 422
        listed = (await http.get("/v1/rewards")).json()["rewards"]
    by_name = {one["name"]: one for one in listed}
    assert {"accuracy", "code", "format", "length", "repetition"} <= by_name.keys()
    params = by_name["repetition"]["params_schema"]["properties"]
    assert params["ngram_size"]["default"] == 3
    assert all(one["description"] and one["source"] for one in listed)


async def test_a_full_queue_answers_429(service: Any, group: Any) -> None:
    running = await service(max_queued="1", score_timeout_s="1.5")
    async with httpx.AsyncClient(base_url=running.url) as http:
        body = ScoreRequest(
            groups=[group("1")], rewards=[RewardSpec(name="format")]
        ).model_dump_json()
        headers = {"content-type": "application/json"}
        waiting = asyncio.create_task(http.post("/v1/score", content=body, headers=headers))
        await asyncio.sleep(0.3)
        refused = await http.post("/v1/score", content=body, headers=headers)
        assert (refused.status_code, "retry-after" in refused.headers) == (429, True)
        assert "reward-rules" in refused.json()["detail"]
        assert (await waiting).json()["groups"][0]["scores"][0]["total"] is None
        # What nobody waits for any more was cancelled, and makes room.
        again = await http.post("/v1/score", content=body, headers=headers)
        assert again.status_code == 200


async def test_metrics_show_the_queue_of_every_pool(service: Any, group: Any) -> None:
    running = await service()
    await running.score(group("1", tests=ADDS), "format", "code", key="k", timeout_s=2)
    async with httpx.AsyncClient(base_url=running.url) as http:
        text = (await http.get("/metrics")).text
    for pool in ("rules", "code"):
        assert f'plaudit_queue_queued{{lane="train",queue="reward-{pool}"}} 1.0' in text
        assert f'plaudit_queue_dead_letters{{queue="reward-{pool}"}} 0.0' in text
    assert 'plaudit_reward_late_pools_total{pool="code"} 1.0' in text


async def test_a_stopped_worker_hands_its_work_back(service: Any, group: Any) -> None:
    """At once: the lease alone would hold it for 60 s."""
    running = await service(drain_timeout_s="0.2", lease_s="60")
    [first] = await running.work("code")
    asking = asyncio.create_task(running.score(group(SLOW, tests=ADDS), "code"))
    await asyncio.sleep(0.5)
    assert first.stop() == 0
    running.worker("code")
    started = time.monotonic()
    assert only(await asking).rewards == {"code": 1.0}
    assert time.monotonic() - started < 40


def test_an_unknown_pool_is_refused() -> None:
    command = [sys.executable, "-m", "plaudit_reward", "worker", "--pool", "gpu"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert (done.returncode, "fix: use code or model or rules" in done.stderr) == (2, True)
