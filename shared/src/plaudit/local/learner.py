"""How the learner is launched: by itself, by torchrun, or by accelerate on GPUs."""

import shutil
from pathlib import Path

from plaudit.local.environment import Environment
from plaudit.schemas.recipe import LearnerRecipe


def learner_command(
    environment: Environment,
    recipe: LearnerRecipe,
    run_dir: Path,
    *,
    has_gpu: bool,
    process: str = "learner",
) -> tuple[str, ...]:
    """`process`: of plaudit-trainer, `learner` or `offline`.

    `accelerate launch --cpu` starts one process whatever it is told, hence torchrun there. The
    learner sets a `strategy` up itself.
    """
    arguments = ("--run-dir", str(run_dir))
    if recipe.num_processes == 1 and recipe.deepspeed is None and recipe.strategy == "ddp":
        return environment.command("trainer", process, *arguments)
    module = ("-m", f"plaudit_trainer.{process}")
    bin_dir = environment.python.parent
    if not has_gpu or recipe.strategy != "ddp":
        count = f"--nproc_per_node={recipe.num_processes}"
        return (str(bin_dir / "torchrun"), "--standalone", count, *module, *arguments)
    options = [f"--num_processes={recipe.num_processes}"]
    if recipe.deepspeed is not None:
        options += ["--use_deepspeed", f"--deepspeed_config_file={recipe.deepspeed}"]
    elif recipe.num_processes > 1:
        options.append("--multi_gpu")
    return (str(bin_dir / "accelerate"), "launch", *options, *module, *arguments)


def learner_env(recipe: LearnerRecipe, *, has_gpu: bool) -> dict[str, str]:
    """What accelerate and DeepSpeed read from the environment."""
    env: dict[str, str] = {}
    if not has_gpu:
        # Told to use the CPU, accelerate leaves DeepSpeed out without a word.
        uses_deepspeed = recipe.deepspeed is not None or recipe.strategy.startswith("zero")
        env |= {"DS_ACCELERATOR": "cpu"} if uses_deepspeed else {"ACCELERATE_USE_CPU": "true"}
    if recipe.num_threads is not None:
        env["OMP_NUM_THREADS"] = str(recipe.num_threads)
    return env


def has_gpu() -> bool:
    """Whether an NVIDIA driver is there; torch is not asked, it would take seconds."""
    return Path("/dev/nvidia0").exists() or shutil.which("nvidia-smi") is not None
