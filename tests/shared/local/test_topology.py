"""Which processes make which services, from where, with which settings."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from plaudit.errors import ConfigError
from plaudit.local.environment import Environment
from plaudit.local.learner import learner_command, learner_env
from plaudit.local.preflight import local_services, needed_services, services_elsewhere
from plaudit.local.services import Model, Topology, training_specs, with_needs
from plaudit.local.training import topology
from plaudit.reward_pools import CODE_REWARDS, MODEL_REWARDS
from plaudit.schemas.recipe import EvalRecipe, JudgeRecipe, LearnerRecipe, Recipe, RewardRecipe


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A Python with all console scripts beside it."""
    (tmp_path / "bin").mkdir()
    for name in ("python", *(f"plaudit-{s}" for s in ("rollout", "reward", "judge", "sandbox"))):
        (tmp_path / "bin" / name).touch()
    (tmp_path / "bin" / "plaudit-trainer").touch()
    return tmp_path / "bin" / "python"


def environment(python: Path, **variables: str) -> Environment:
    variables = {"PLAUDIT_ROLLOUT_PYTHON": str(python), **variables}
    return Environment(variables, python, document={})


def test_the_judge_brings_the_rollout_service_and_reward_brings_nothing() -> None:
    assert with_needs(["judge"]) == ("rollout", "judge")
    assert with_needs(["reward"]) == ("reward",)
    assert with_needs([]) == ("rollout", "reward", "judge", "sandbox")


def test_replicas_have_engines_ports_and_workers_of_their_own(installed: Path) -> None:
    topology = Topology(
        environment(installed), ("rollout", "judge"), model=Model("/m"), num_replicas=2
    )
    specs = {spec.name: spec for spec in topology.specs()}
    assert [specs[f"engine-{i}"].env["PLAUDIT_ROLLOUT_ENGINE_PORT"] for i in (0, 1)] == [
        "8201",
        "8202",
    ]
    assert specs["rollout-1"].depends_on == ("engine-1",)
    engines = json.loads(specs["judge-self"].env["PLAUDIT_JUDGE_ENGINE_URLS"])
    assert engines == ["http://127.0.0.1:8201", "http://127.0.0.1:8202"]
    assert {use.port for use in topology.ports()} == {8101, 8103, 8201, 8202}


def test_variables_meant_for_the_launcher_do_not_reach_the_services(installed: Path) -> None:
    for spec in Topology(environment(installed), ("reward",)).specs():
        assert "PLAUDIT_ROLLOUT_PYTHON" in spec.without_env


def test_the_code_pool_runs_only_where_there_is_a_sandbox(installed: Path) -> None:
    def names(env: Environment, *services: str) -> list[str]:
        return [spec.name for spec in Topology(env, services).specs()]

    assert "reward-code" not in names(environment(installed), "reward")
    assert "reward-code" in names(environment(installed), "reward", "sandbox")
    elsewhere = environment(installed, PLAUDIT_SANDBOX_URL="http://sandbox:8104")
    assert "reward-code" in names(elsewhere, "reward")


def test_the_model_pool_runs_only_where_models_are_configured_or_used(installed: Path) -> None:
    def runs(env: Environment, service: str = "reward", used: bool = False) -> bool:
        specs = Topology(env, (service,), uses_reward_models=used).specs()
        return "reward-model" in [spec.name for spec in specs]

    def configured(reward: object) -> Environment:
        return Environment({}, installed, {"reward": reward})

    plain = environment(installed)
    assert not runs(plain)
    assert runs(plain, used=True)
    assert not runs(plain, "sandbox", used=True)
    models = {"a": {"kind": "value_head", "path": "/m"}}
    sections: list[object] = [{"models": {}}, {"port": 1}, 3]
    assert not any(runs(configured(section)) for section in sections)
    assert runs(configured({"models": models}))
    assert runs(environment(installed, PLAUDIT_REWARD_MODELS=json.dumps(models)))


@pytest.mark.parametrize("where", ["rewards", "eval"])
@pytest.mark.parametrize(
    ("name", "worker"),
    [
        ("accuracy", None),
        *((name, "reward-code") for name in sorted(CODE_REWARDS)),
        *((name, "reward-model") for name in sorted(MODEL_REWARDS)),
    ],
)
def test_a_run_starts_the_worker_that_its_rewards_need(
    installed: Path, where: str, name: str, worker: str | None
) -> None:
    rewards = [RewardRecipe(name=name if where == "rewards" else "accuracy")]
    kinds = {"all": name} if where == "eval" else {}
    recipe = Recipe(name="a", rewards=rewards, eval=EvalRecipe(reward_by_kind=kinds))
    models: dict[str, object] = {"default": {}} if name in MODEL_REWARDS else {}
    here = replace(environment(installed), document={"reward": {"models": models}})
    found = [spec.name for spec in topology(recipe, here, None, 1).specs()]
    workers = [name for name in found if name in ("reward-code", "reward-model")]
    assert workers == ([worker] if worker else [])
    assert ("sandbox" in found) == (worker == "reward-code")


def test_a_reward_model_that_is_not_configured_is_told_before_anything_starts(
    installed: Path,
) -> None:
    def start(document: dict[str, object], *, eval_only: bool = False, **variables: str) -> None:
        reward = RewardRecipe(name="reward_model", params={"model": "mine"})
        rewards = [RewardRecipe(name="accuracy")] if eval_only else [reward]
        kinds = {"all": "reward_model"} if eval_only else {}
        recipe = Recipe(name="a", rewards=rewards, eval=EvalRecipe(reward_by_kind=kinds))
        here = replace(environment(installed, **variables), document=document)
        topology(recipe, here, None, 1)

    with pytest.raises(ConfigError, match="model 'mine' is not configured; there are none") as told:
        start({})
    assert "[reward.models.mine]" in str(told.value)
    with pytest.raises(ConfigError, match="there are other"):
        start({"reward": {"models": {"other": {}}}})
    with pytest.raises(ConfigError, match="model 'default' is not configured"):
        start({}, eval_only=True)
    start({"reward": {"models": {"mine": {}}}})
    start({}, PLAUDIT_REWARD_MODELS="{...}")
    start({}, PLAUDIT_REWARD_URL="http://rewards:8102")


def test_a_recipe_needs_just_the_services_that_its_groups_pass(installed: Path) -> None:
    plain = Recipe(name="a", rewards=[RewardRecipe(name="accuracy")])
    code = Recipe(name="a", rewards=[RewardRecipe(name="code")], judge=JudgeRecipe())
    assert needed_services(plain) == ("rollout", "reward")
    assert needed_services(code) == ("rollout", "reward", "sandbox", "judge")
    elsewhere = environment(installed, PLAUDIT_JUDGE_URL="http://judge:8103")
    assert local_services(code, elsewhere) == ("rollout", "reward", "sandbox")


def test_a_sandbox_that_only_the_reward_service_can_reach_is_not_asked_for(
    installed: Path,
) -> None:
    code = Recipe(name="a", rewards=[RewardRecipe(name="code")])
    here = environment(installed)
    assert services_elsewhere(code, here, ()) == ("rollout", "reward", "sandbox")
    there = environment(installed, PLAUDIT_REWARD_URL="http://reward:8102")
    assert services_elsewhere(code, there, ()) == ("rollout", "reward")


def test_the_key_for_all_services_may_lie_in_a_file(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from-a-file\n")
    path = str(tmp_path / "key")
    assert environment(installed, PLAUDIT_API_KEY_FILE=path).api_key == "from-a-file"
    both = environment(installed, PLAUDIT_API_KEY_FILE=path, PLAUDIT_API_KEY="from-a-variable")
    assert both.api_key == "from-a-variable"


def test_the_trainer_finds_the_services_and_the_redis_that_were_started(installed: Path) -> None:
    topology = Topology(environment(installed, PLAUDIT_REWARD_PORT="9000"), ("reward",))
    specs = topology.specs()
    conductor, learner = training_specs(
        topology.environment, Path("/run"), specs, ("learner",), {"A": "b"}
    )
    assert conductor.env["PLAUDIT_REWARD_URL"] == "http://127.0.0.1:9000"
    assert conductor.depends_on == ("reward",)
    assert learner.env["A"] == "b" and learner.restart == "on_failure"


def test_the_trainer_finds_services_that_another_command_started_on_other_ports(
    installed: Path,
) -> None:
    here = environment(
        installed, PLAUDIT_ROLLOUT_PORT="9001", PLAUDIT_JUDGE_URL="http://judge:8103"
    )
    for spec in training_specs(here, Path("/run"), [], ("learner",), {}, "unix:///r"):
        assert spec.env["PLAUDIT_ROLLOUT_URL"] == "http://127.0.0.1:9001"
        assert spec.env["PLAUDIT_JUDGE_URL"] == "http://judge:8103"


def test_how_long_a_stopped_learner_may_take_can_be_said(installed: Path) -> None:
    def learner(**variables: str) -> float:
        here = environment(installed, **variables)
        conductor, learner = training_specs(here, Path("/run"), [], ("learner",), {})
        assert ("PLAUDIT_TRAINER_DRAIN_TIMEOUT_S" in conductor.env) == (not variables)
        return learner.stop_timeout_s

    assert learner() == 5.0
    assert learner(PLAUDIT_TRAINER_DRAIN_TIMEOUT_S="90") == 90.0
    with pytest.raises(ConfigError, match="'soon' is not a number"):
        learner(PLAUDIT_TRAINER_DRAIN_TIMEOUT_S="soon")


def test_the_trainer_is_told_of_a_redis_that_runs_already(installed: Path) -> None:
    specs = training_specs(environment(installed), Path("/run"), [], ("learner",), {}, "unix:///r")
    assert {spec.env["PLAUDIT_REDIS_URL"] for spec in specs} == {"unix:///r"}


def test_what_is_not_installed_is_told_with_the_command_that_installs_it(tmp_path: Path) -> None:
    lone = environment(tmp_path / "python")
    with pytest.raises(ConfigError, match="make setup"):
        lone.command("nonsense")
    with pytest.raises(ConfigError, match="no such file"):
        lone.rollout_python()


@pytest.mark.parametrize("port", ["http", "0", "65536", "-1"])
def test_a_port_that_is_none_names_the_setting(installed: Path, port: str) -> None:
    with pytest.raises(ConfigError, match=f"PLAUDIT_REWARD_PORT='{port}'"):
        environment(installed, PLAUDIT_REWARD_PORT=port).port("reward")


@pytest.mark.parametrize(
    ("recipe", "gpu", "expected"),
    [
        (LearnerRecipe(), False, "plaudit-trainer learner --run-dir /run"),
        (LearnerRecipe(), True, "plaudit-trainer learner --run-dir /run"),
        (
            LearnerRecipe(num_processes=2),
            False,
            "torchrun --standalone --nproc_per_node=2 -m plaudit_trainer.learner --run-dir /run",
        ),
        (
            LearnerRecipe(num_processes=2),
            True,
            "accelerate launch --num_processes=2 --multi_gpu -m plaudit_trainer.learner"
            " --run-dir /run",
        ),
        (
            LearnerRecipe(num_processes=2, deepspeed="/z.json"),
            True,
            "accelerate launch --num_processes=2 --use_deepspeed --deepspeed_config_file=/z.json"
            " -m plaudit_trainer.learner --run-dir /run",
        ),
        (
            LearnerRecipe(strategy="zero1_offload"),
            True,
            "torchrun --standalone --nproc_per_node=1 -m plaudit_trainer.learner --run-dir /run",
        ),
        (
            LearnerRecipe(num_processes=2, strategy="fsdp2"),
            False,
            "torchrun --standalone --nproc_per_node=2 -m plaudit_trainer.learner --run-dir /run",
        ),
    ],
)
def test_the_learner_is_launched_as_the_recipe_says(
    installed: Path, recipe: LearnerRecipe, gpu: bool, expected: str
) -> None:
    argv = learner_command(environment(installed), recipe, Path("/run"), has_gpu=gpu)
    assert " ".join(argv) == f"{installed.parent}/{expected}"


def test_deepspeed_on_cpu_is_told_so() -> None:
    env = learner_env(LearnerRecipe(deepspeed="/z.json", num_threads=1), has_gpu=False)
    assert env == {"DS_ACCELERATOR": "cpu", "OMP_NUM_THREADS": "1"}
    assert learner_env(LearnerRecipe(strategy="zero3"), has_gpu=False) == {"DS_ACCELERATOR": "cpu"}
    fsdp2 = learner_env(LearnerRecipe(strategy="fsdp2"), has_gpu=False)
    assert fsdp2 == {"ACCELERATE_USE_CPU": "true"}


def test_every_configured_judge_has_a_worker_that_may_lack_its_key(installed: Path) -> None:
    document = {"judge": {"judges": {"opus": {"kind": "claude", "model": "m"}}}}
    topology = Topology(Environment({}, installed, document), ("judge",))
    specs = {spec.name: spec for spec in topology.specs()}
    assert [name for name in specs if name.startswith("judge-")] == ["judge-self", "judge-opus"]
    assert specs["judge-opus"].argv[-3:] == ("--judge", "opus", "--if-available")
    assert [specs[f"judge-{name}"].restart for name in ("self", "opus")] == ["always", "on_failure"]


def test_judges_of_the_environment_stand_for_those_of_the_file(installed: Path) -> None:
    document = {"judge": {"judges": {"opus": {"kind": "claude", "model": "m"}}}}
    named = {"PLAUDIT_JUDGE_JUDGES": '{"haiku": {"kind": "claude", "model": "m"}}'}
    assert Environment(named, installed, document).judges == ("self", "haiku")
    broken = {"PLAUDIT_JUDGE_JUDGES": "{"}
    assert Environment(broken, installed, document).judges == ("self",)
