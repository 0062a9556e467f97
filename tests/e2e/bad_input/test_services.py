"""Ports, keys, reward names and services that do not fit are told at once, by their settings."""

import os
import socket

import pytest

WRONG = "a-key-of-somebody-else"


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("PLAUDIT_REWARD_PORT", "for reward"),
        ("PLAUDIT_ROLLOUT_ENGINE_PORT", "for vLLM 0"),
        ("PLAUDIT_TRAINER_PORT", "for the run's status"),
    ],
)
def test_a_port_in_use_names_its_setting_its_owner_and_a_way_out(plaudit, setting, said):
    port = int(plaudit.env[setting])
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        done = plaudit.train("--up")
    plaudit.refuses(
        done, f"port {port} {said} (setting {setting}) is in use", f"process {os.getpid()}",
        f"fix: stop that process, or choose another port, e.g. {setting}={port + 100}",
    )  # fmt: skip
    assert not os.path.lexists(plaudit.directory / "cache"), "before the files were looked at"


def test_the_port_of_the_status_is_looked_at_when_the_services_run_elsewhere(plaudit):
    port = int(plaudit.env["PLAUDIT_TRAINER_PORT"])
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        plaudit.refuses(plaudit.train(), f"port {port}", "PLAUDIT_TRAINER_PORT")


def test_services_that_do_not_run_are_listed_with_both_ways_to_start_them(plaudit):
    said = plaudit.refuses(plaudit.train(), "service rollout: ", "service reward: ", "Redis: ")
    assert "plaudit up" in said and "--up" in said


def test_a_bad_reward_name_is_refused_by_the_service_that_runs_elsewhere(plaudit, services):
    plaudit.refuses(
        plaudit.train("--set", "rewards.0.name=acuracy", **services()),
        "rewards.0.name = 'acuracy': the reward service has no such reward",
        "fix: did you mean 'accuracy'?",
    )


def test_a_bad_reward_name_of_the_evaluation_is_refused_too(plaudit, services):
    plaudit.refuses(
        plaudit.train("--set", "eval.reward_by_kind.math=acuracy", **services()),
        "eval.reward_by_kind.math = 'acuracy'",
    )


def test_a_bad_reward_name_ends_what_was_started_and_leaves_no_run(plaudit):
    plaudit.refuses(
        plaudit.train("--up", "--set", "rewards.0.name=acuracy"),
        "rewards.0.name = 'acuracy': the reward service has no such reward",
        "fix: did you mean 'accuracy'?",
    )


@pytest.mark.parametrize("refusing", ["rollout", "reward"])
def test_a_wrong_key_is_refused_before_the_run_and_not_tried_for_ever(plaudit, services, refusing):
    env = services(**{f"{refusing}_keys": "the-services-own-key"})
    url = env[f"PLAUDIT_{refusing.upper()}_URL"]
    said = plaudit.refuses(
        plaudit.train(PLAUDIT_API_KEY=WRONG, **env),
        f"error: {url}/v1/", "refuses the API key (it is wrong)",
        "fix: set PLAUDIT_API_KEY to one of that service's keys",
    )  # fmt: skip
    assert WRONG not in said
    plaudit.refuses(plaudit.train(**env), "refuses the API key (none is set)")


def test_the_key_that_only_the_trainer_has_is_the_one_that_counts(plaudit, services):
    env = services(rollout_keys="the-services-own-key")
    env |= {"PLAUDIT_API_KEY": "the-services-own-key", "PLAUDIT_TRAINER_API_KEY": WRONG}
    plaudit.refuses(plaudit.train(**env), "refuses the API key (it is wrong)")


def test_a_wrong_key_for_services_that_are_started_here_ends_them(plaudit):
    env = {"PLAUDIT_API_KEYS": "the-services-own-key", "PLAUDIT_API_KEY": WRONG}
    plaudit.refuses(plaudit.train("--up", **env), "refuses the API key (it is wrong)")


def test_a_setting_of_a_service_that_is_wrong_ends_what_was_started(plaudit):
    plaudit.refuses(
        plaudit.train("--up", PLAUDIT_REWARD_LOG_LEVL="debug"),
        "PLAUDIT_REWARD_LOG_LEVL: unknown; did you mean `PLAUDIT_REWARD_LOG_LEVEL`?",
    )


def test_a_redis_that_does_not_answer_is_named_without_its_password(plaudit, services):
    env = services() | {"PLAUDIT_REDIS_URL": "redis://:secret@127.0.0.1:1/0"}
    said = plaudit.refuses(plaudit.train(**env), "Redis: ")
    assert "secret" not in said
