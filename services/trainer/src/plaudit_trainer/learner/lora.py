"""Low-rank adapters (arXiv 2106.09685): put on, and merged for whoever reads whole weights."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from plaudit.errors import ConfigError
from plaudit.schemas.recipe import LoraRecipe

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

ADAPTER = "default"
_PREFIX = "base_model.model."
_WHOLE = f".modules_to_save.{ADAPTER}."
ALL_LINEAR = "all-linear"


def check_lora(lora: LoraRecipe) -> None:
    """Raises ConfigError when the engines cannot be given what the recipe wants to publish."""
    if lora.publish == "adapter":
        raise ConfigError(
            "model.lora.publish = 'adapter': the rollout workers load whole weights only.",
            fix="set it to 'merged'; the adapter is merged into a copy of the weights, exactly",
        )


def put_on_lora(
    model: "PreTrainedModel", lora: LoraRecipe, seed: int, *, also_trained: tuple[str, ...] = ()
) -> Any:
    """A PeftModel. `also_trained`: layers that are trained whole, such as a new value head.

    The same on every rank for the same seed. Raises ConfigError when no layer has such a name, or
    one that has cannot be merged.
    """
    import torch
    from peft import LoraConfig, get_peft_model

    check_lora(lora)
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,  # type: ignore[arg-type]  # a float is as good
        lora_dropout=lora.dropout,
        target_modules=ALL_LINEAR if lora.targets == [ALL_LINEAR] else lora.targets,
        modules_to_save=list(also_trained) or None,
        exclude_modules=list(also_trained) or None,
    )
    state = torch.random.get_rng_state()
    torch.manual_seed(seed)
    try:
        adapted = get_peft_model(model, config)
    except ValueError as error:
        linear = sorted({n.rpartition(".")[2] for n, m in model.named_modules() if _is_linear(m)})
        raise ConfigError(
            f"model.lora.targets = {lora.targets}: {str(error).strip()[:300]}",
            fix=f"name linear layers of the model ({', '.join(linear)}) or 'all-linear'",
        ) from error
    finally:
        torch.random.set_rng_state(state)
    _check_targets(adapted, lora)
    return adapted


def _check_targets(adapted: Any, lora: LoraRecipe) -> None:
    from peft.tuners.lora import Linear, LoraLayer

    model = adapted.get_base_model()
    others = [
        n
        for n, m in model.named_modules()
        if isinstance(m, LoraLayer) and not isinstance(m, Linear)
    ]
    is_tied = model.config.get_text_config().tie_word_embeddings
    if is_tied and isinstance(model.get_output_embeddings(), Linear):
        others.append("the head, which shares its weights with the embeddings")
    if others:
        raise ConfigError(
            f"model.lora.targets = {lora.targets} matches {', '.join(others[:3])}.",
            fix="name linear layers only, none of which shares its weights",
        )


def merged(model: Any, state: Mapping[str, "torch.Tensor"]) -> dict[str, "torch.Tensor"]:
    """W + scale B A under the names of the plain model; `state` (whole tensors) is not changed.

    `model` is the PeftModel of `state`; it says how its layers scale.
    """
    plain = {
        name.removeprefix(_PREFIX).replace(".base_layer.", ".").replace(_WHOLE, "."): tensor
        for name, tensor in state.items()
        if not _is_adapter(name)
    }
    for path, layer in model.get_base_model().named_modules():
        if ADAPTER in getattr(layer, "lora_A", ()):
            down = state[f"{_PREFIX}{path}.lora_A.{ADAPTER}.weight"]
            up = state[f"{_PREFIX}{path}.lora_B.{ADAPTER}.weight"]
            delta = layer.scaling[ADAPTER] * (up.float() @ down.float())
            base = plain[f"{path}.weight"]
            delta = delta.T if layer.fan_in_fan_out else delta
            plain[f"{path}.weight"] = (base.float() + delta.to(base.device)).to(base.dtype)
    return plain


def _is_adapter(name: str) -> bool:
    return ".lora_" in name or ".original_module." in name


def _is_linear(module: Any) -> bool:
    import torch

    return isinstance(module, torch.nn.Linear)
