"""The trained model as a folder that the reward service loads as it is."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers import PreTrainedModel
from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING

from plaudit_trainer.learner.final import NAME, save_final
from plaudit_trainer.offline.reward_model.model import HEAD
from plaudit_trainer.run_dir import RunDir

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from plaudit_trainer.offline.steps import StepTrainer


WEIGHT = f"{HEAD}.weight"


def save_reward_model(
    trainer: "StepTrainer",
    tokenizer: "PreTrainedTokenizerBase",
    run_dir: Path,
    dtype: str,
    value_head_prefix: str,
    **facts: Any,
) -> None:
    """All processes together. `facts` go into config.json, with `mean` and `std` of the rewards."""
    save_final(trainer, tokenizer, run_dir, dtype)
    if trainer.accelerator.is_main_process:
        finish(run_dir / NAME, value_head_prefix, {**facts, **scale_of(RunDir(run_dir))})


def scale_of(run_dir: RunDir) -> dict[str, float]:
    """Of the rewards of all held-out answers, after training; nothing where there are none."""
    evaluation = run_dir.read_json("eval_after.json")
    if evaluation is None:
        return {}
    figures = evaluation["figures"]
    return {"mean": figures["reward_mean"], "std": figures["reward_std"]}


def finish(folder: Path, value_head_prefix: str, facts: dict[str, Any]) -> None:
    """Give the head its name, and config.json the `facts`."""
    if value_head_prefix != HEAD:
        rename_head(folder, f"{value_head_prefix}.weight")
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8")) | facts
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def classifier_architecture(model: PreTrainedModel) -> list[str]:
    """Hugging Face's own class for a head at the last token, which vLLM serves, too."""
    kind: Any = MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING[type(model.config)]
    return [kind.__name__]


def rename_head(folder: Path, name: str) -> None:
    """In the file that has it, and in the index of several."""
    for file in folder.glob("*.safetensors"):
        with safe_open(file, framework="pt") as tensors:
            is_there = WEIGHT in tensors.keys()  # noqa: SIM118
        if is_there:
            weights = load_file(file)
            weights[name] = weights.pop(WEIGHT)
            save_file(weights, file, {"format": "pt"})
    for index in folder.glob("*.safetensors.index.json"):
        content = json.loads(index.read_text())
        content["weight_map"][name] = content["weight_map"].pop(WEIGHT)
        index.write_text(json.dumps(content, indent=2) + "\n")
