"""Low-rank adapters: only they are trained; published are the merged whole, or they alone."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from plaudit.errors import ConfigError
from plaudit.schemas.policy import PolicyManifest
from plaudit.schemas.recipe import LoraRecipe
from plaudit_rollout.policy.manifest import verify
from plaudit_trainer.learner.lora import check_lora, merged, put_on_lora
from tests.trainer.learner.published import assert_proven, assert_proven_over

LORA = {"rank": 4, "alpha": 8.0}
WITH_KL = {"beta": 0.1, "loss_type": "grpo", "learning_rate": 1e-2}


@pytest.mark.parametrize("tied", [True, False])
def test_merged_weights_compute_what_base_and_adapter_compute(tied, make_model):
    base = make_model(tied=tied)
    before = {name: tensor.clone() for name, tensor in base.state_dict().items()}
    adapted = put_on_lora(base, LoraRecipe(rank=4), 0)
    torch.manual_seed(1)
    for name, parameter in adapted.named_parameters():
        assert parameter.requires_grad == (".lora_" in name)
        if ".lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    ids = torch.arange(12).unsqueeze(0)
    whole = make_model(tied=tied, seed=2)
    whole.load_state_dict(merged(adapted, adapted.state_dict()))
    with torch.no_grad():
        expected = adapted(input_ids=ids).logits
        torch.testing.assert_close(whole(input_ids=ids).logits, expected, atol=2e-5, rtol=1e-5)
        with adapted.disable_adapter():
            unchanged = adapted(input_ids=ids).logits
        base_logits = make_model(tied=tied)(input_ids=ids).logits
    assert torch.equal(unchanged, base_logits)
    after = merged(adapted, {k: v * (".lora_B" not in k) for k, v in adapted.state_dict().items()})
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


def test_a_layer_trained_whole_keeps_its_name(make_model):
    adapted = put_on_lora(make_model(tied=False), LoraRecipe(), 0, also_trained=("lm_head",))
    assert (
        merged(adapted, adapted.state_dict()).keys() == make_model(tied=False).state_dict().keys()
    )


@pytest.mark.filterwarnings("ignore:Model has `tie_word_embeddings=True`:UserWarning")
@pytest.mark.parametrize(
    ("lora", "said"),
    [
        (LoraRecipe(targets=["query"]), r"model\.lora\.targets = \['query'\]"),
        (LoraRecipe(targets=["embed_tokens"]), r"matches model\.embed_tokens"),
        (LoraRecipe(targets=["lm_head"]), "shares its weights"),
    ],
)
def test_what_cannot_be_merged_is_refused(lora, said, make_model):
    with pytest.raises(ConfigError, match=said):
        put_on_lora(make_model(), lora, 0)


def test_a_run_trains_adapters_publishes_whole_weights_and_resumes_bit_exactly(
    train_here, ledger, make_recipe, make_group, make_run_dir, model_dir, rollout_service
):
    recipe = make_recipe(model={"lora": LORA}, method=WITH_KL)
    whole = make_run_dir(recipe, "whole")
    ledger.fill([make_group(number) for number in range(8)])
    train_here(whole)
    assert_proven(Path(rollout_service.versions[-1].path))
    assert_only_targets_changed(whole / "final", model_dir)
    lines = [json.loads(line) for line in (whole / "metrics.jsonl").read_text().splitlines()]
    assert lines[0]["trl"]["kl"] == pytest.approx(0.0, abs=1e-6), "the adapter starts at zero"
    assert lines[-1]["trl"]["kl"] > 1e-3, "the reference is the model beneath the adapter"

    ledger.client.flushall()
    parts = make_run_dir(recipe.model_copy(update={"name": "parts"}), "parts")
    ledger.fill([make_group(number) for number in range(4)])
    stopped = recipe.budget.model_copy(update={"steps": 2})
    resume(train_here, parts, recipe.model_copy(update={"budget": stopped}))
    ledger.fill([make_group(number) for number in range(4, 8)])
    resume(train_here, parts, recipe)
    for name, tensor in weights(whole / "final").items():
        assert torch.equal(weights(parts / "final")[name], tensor), name


def test_a_run_publishes_adapters_over_one_base_and_a_whole_model_at_its_end(
    train_here, ledger, make_recipe, make_group, make_run_dir, model_dir, rollout_service
):
    lora = {**LORA, "publish": "adapter"}
    recipe = make_recipe(model={"lora": lora}, method=WITH_KL)
    run_dir = make_run_dir(recipe, "adapters")
    ledger.fill([make_group(number) for number in range(8)])
    train_here(run_dir)
    first, last = (rollout_service.versions[index] for index in (0, -1))
    base = manifest_of(first).base
    assert base is not None and manifest_of(last).base == base
    assert verify(base, None).probe == manifest_of(first).probe, "an adapter starts at zero"
    assert_proven(Path(base.path))
    for announced in (first, last):
        assert set(verify(announced, None).files) == {
            "adapter_model.safetensors",
            "adapter_config.json",
        }
        assert_proven_over(Path(base.path), Path(announced.path))
    assert manifest_of(last).probe != manifest_of(first).probe
    assert_only_targets_changed(run_dir / "final", model_dir)


def test_a_resumed_run_goes_on_over_the_base_that_it_published(
    train_here, ledger, make_recipe, make_group, make_run_dir, rollout_service
):
    recipe = make_recipe(model={"lora": {**LORA, "publish": "adapter"}}, method=WITH_KL)
    run_dir = make_run_dir(recipe, "parts")
    ledger.fill([make_group(number) for number in range(4)])
    stopped = recipe.budget.model_copy(update={"steps": 2})
    resume(train_here, run_dir, recipe.model_copy(update={"budget": stopped}))
    base = manifest_of(rollout_service.versions[-1]).base
    ledger.fill([make_group(number) for number in range(4, 8)])
    resume(train_here, run_dir, recipe)
    last = rollout_service.versions[-1]
    assert manifest_of(last).base == base
    assert_proven_over(Path(base.path), Path(last.path))


def test_a_rank_that_no_engine_takes_is_refused_before_the_run():
    check_lora(LoraRecipe(rank=1024))
    with pytest.raises(ConfigError, match=r"model\.lora\.rank = 513"):
        check_lora(LoraRecipe(rank=513, publish="adapter"))


def manifest_of(announced) -> PolicyManifest:
    return PolicyManifest.model_validate_json((Path(announced.path) / "manifest.json").read_bytes())


def resume(train_here, run_dir: Path, recipe) -> None:
    from plaudit.config.recipe import dump_recipe

    (run_dir / "recipe.toml").write_text(dump_recipe(recipe))
    train_here(run_dir)


def weights(directory: Path) -> dict[str, torch.Tensor]:
    return load_file(directory / "model.safetensors")


def assert_only_targets_changed(found: Path, base: Path) -> None:
    start = weights(base)
    assert weights(found).keys() == start.keys()
    for name, tensor in weights(found).items():
        assert torch.equal(tensor, start[name]) != ("_proj.weight" in name), name
