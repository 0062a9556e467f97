"""The value model: a backbone and a linear head without bias.

Tensor shapes: B completions, C completion columns (padded right), P prompt columns (padded left).
"""

from pathlib import Path

import torch
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from plaudit.errors import ConfigError
from plaudit.schemas.recipe import WITH_CRITIC, Recipe
from plaudit_trainer.learner.passes import lay_out
from plaudit_trainer.model_path import check_model_path

HEAD = "score"
"""Name of the head in a directory that `rm` has written."""


class ValueModel(torch.nn.Module):
    def __init__(self, backbone: torch.nn.Module, head: torch.nn.Linear) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    def forward(
        self, ids: torch.Tensor, mask: torch.Tensor, num_completion_columns: int
    ) -> torch.Tensor:
        """(B, C): of the state before each completion token; 0 at padding. `ids`: (B, P + C)."""
        layout = lay_out(ids, mask, num_completion_columns)
        hidden_BTD = self.backbone(input_ids=layout.ids_BT, use_cache=False).last_hidden_state
        values_N: torch.Tensor = self.head(hidden_BTD[layout.scored_BT]).squeeze(-1).float()
        is_scored_BC = mask[:, -num_completion_columns:].bool()
        return values_N.new_zeros(is_scored_BC.shape).masked_scatter(is_scored_BC, values_N)


def load_critic(recipe: Recipe) -> ValueModel | None:
    """None for a method that has no critic. Raises ConfigError."""
    method = recipe.method
    if method.name not in WITH_CRITIC:
        return None
    if method.critic is None or method.critic.path is None:
        return load_value_model(recipe.model.path, setting="model.path")
    return load_value_model(method.critic.path, setting="method.critic.path")


def load_value_model(path: str, *, setting: str) -> ValueModel:
    """In float32. A head that is not in `path` starts at 0. Raises ConfigError about `setting`."""
    check_model_path(path, setting)
    try:
        model, found = AutoModelForSequenceClassification.from_pretrained(
            path, num_labels=1, dtype=torch.float32, output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise ConfigError(
            f"{setting} = {path!r}: no value model can be made of it: {str(error).strip()[:500]}",
            fix="give a directory that `rm` has written, or a causal language model",
        ) from error
    head = _head(model, path, setting)
    if f"{HEAD}.weight" in found["missing_keys"]:
        torch.nn.init.zeros_(head.weight)
    return ValueModel(model.base_model, head)


def _head(model: PreTrainedModel, path: str, setting: str) -> torch.nn.Linear:
    head = dict(model.named_children()).get(HEAD)
    if not isinstance(head, torch.nn.Linear) or head.bias is not None:
        raise ConfigError(
            f"{setting} = {str(Path(path).name)!r}: this architecture has no head {HEAD!r} without "
            "a bias.",
            fix="give a causal language model, or a reward model made of one",
        )
    return head
