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
MAX_PUBLISHED_RANK = 512


def check_lora(lora: LoraRecipe) -> None:
    """Raises ConfigError when no engine could be given what the recipe wants to publish."""
    if lora.publish == "adapter" and lora.rank > MAX_PUBLISHED_RANK:
        raise ConfigError(
            f"model.lora.rank = {lora.rank}: vLLM takes adapters of rank {MAX_PUBLISHED_RANK} or "
            "less.",
            fix="lower it, or set model.lora.publish = 'merged'",
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
    plain = beneath(state)
    for path, layer in model.get_base_model().named_modules():
        if ADAPTER in getattr(layer, "lora_A", ()):
            down = state[f"{_PREFIX}{path}.lora_A.{ADAPTER}.weight"]
            up = state[f"{_PREFIX}{path}.lora_B.{ADAPTER}.weight"]
            delta = layer.scaling[ADAPTER] * (up.float() @ down.float())
            base = plain[f"{path}.weight"]
            delta = delta.T if layer.fan_in_fan_out else delta
            plain[f"{path}.weight"] = (base.float() + delta.to(base.device)).to(base.dtype)
    return plain


def beneath(state: Mapping[str, "torch.Tensor"]) -> dict[str, "torch.Tensor"]:
    """W alone, under the names of the plain model."""
    return {
        name.removeprefix(_PREFIX).replace(".base_layer.", ".").replace(_WHOLE, "."): tensor
        for name, tensor in state.items()
        if not _is_adapter(name)
    }


def adapter_alone(model: Any, state: Mapping[str, "torch.Tensor"]) -> dict[str, "torch.Tensor"]:
    """A and B under the names of PEFT's files."""
    from peft import get_peft_model_state_dict

    found: dict[str, torch.Tensor] = get_peft_model_state_dict(
        model, state_dict=dict(state), adapter_name=ADAPTER, save_embedding_layers=False
    )
    return found


def adapter_config(model: Any) -> dict[str, Any]:
    """What PEFT and vLLM read beside the file of the adapter."""
    found: dict[str, Any] = model.peft_config[ADAPTER].to_dict()
    plain = {name: sorted(one) if isinstance(one, set) else one for name, one in found.items()}
    return {**plain, "inference_mode": True}


def _is_adapter(name: str) -> bool:
    return ".lora_" in name or ".original_module." in name


def _is_linear(module: Any) -> bool:
    import torch

    return isinstance(module, torch.nn.Linear)
