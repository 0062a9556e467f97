"""unit_reward_model on tiny models: what two plain forward passes of Hugging Face give."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from plaudit.scale import Scale
from plaudit.schemas.common import Message
from plaudit.schemas.reward import Answer, RewardGroup
from plaudit.segments import LocationNorm
from plaudit_reward.models.engine import EngineLimits
from plaudit_reward.models.spec import ClassifierSpec, UnitSpec
from plaudit_reward.models.units import TokenReadings, unit_score
from plaudit_reward.wire import TokenValues

TEXTS = ["It is four.", "4", "a rather long answer " * 5]
C_ENT = 3.0


def unit(path: Path, reference: Path, **more: Any) -> UnitSpec:
    paths = {"path": str(path), "reference_path": str(reference)}
    return UnitSpec(**{"kind": "unit", **paths, "c_ent": C_ENT, **more})


@pytest.fixture
def group(tiny) -> RewardGroup:
    """As the engines send it: the second completion was cut off, the others end with EOS."""
    tokenizer = tiny.tokenizer()
    tokens = [tokenizer(text)["input_ids"] + [1] * (index != 1) for index, text in enumerate(TEXTS)]
    completions = [Answer(text=t, token_ids=ids) for t, ids in zip(TEXTS, tokens, strict=True)]
    prompt = [Message(role="user", content="What is 2 + 2?")]
    return RewardGroup(group_id="g", prompt=prompt, completions=completions)


@torch.inference_mode()
def truth(path: Path, reference: Path, group: RewardGroup) -> list[TokenReadings]:
    tokenizer = AutoTokenizer.from_pretrained(path)
    model = AutoModelForSequenceClassification.from_pretrained(path).eval()
    language_model = AutoModelForCausalLM.from_pretrained(reference).eval()
    inputs: Any = tokenizer.apply_chat_template(
        [message.model_dump() for message in group.prompt], add_generation_prompt=True
    )
    prompt = list(inputs["input_ids"])
    found = []
    for one in group.completions:
        ids = torch.tensor([[*prompt, *(one.token_ids or [])]])
        logits_NV = language_model(ids).logits[0, len(prompt) :]
        hidden_NH = model.model(ids).last_hidden_state[0, len(prompt) :]
        found.append(
            TokenReadings(
                torch.distributions.Categorical(logits=logits_NV).entropy().tolist(),
                model.score(hidden_NH)[:, 0].tolist(),
                one.token_ids[-1] == 1,
            )
        )
    return found


@pytest.mark.parametrize("max_batch_tokens", [1, 10_000], ids=["single", "all"])
@pytest.mark.parametrize(
    "spread",
    [
        "segment_normalization",
        "same_segment_last",
        "every_segment_last",
        "segment_last_avg",
        "segment_last_logsumexp",
    ],
)
async def test_gives_what_two_plain_forward_passes_give(
    tiny, pool, score, group, spread, max_batch_tokens
) -> None:
    path, reference = tiny.classifier("unit"), tiny.language_model("reference")
    norm = [0.7668, 0.2569, 0.4705, 2.8339]
    spec = unit(path, reference, normalization=norm, mean=0.1, std=2.0)
    models = await pool(EngineLimits(max_batch_tokens), default=spec)
    values = await score(models, "unit_reward_model", group, spread=spread)
    found = truth(path, reference, group)
    assert [one.ends_with_eos for one in found] == [True, False, True]
    for value, reading, answer in zip(values, found, group.completions, strict=True):
        expected = unit_score(reading, C_ENT, spread, LocationNorm(*norm), Scale(0.1, 2.0))
        assert isinstance(value, TokenValues)
        assert len(value.tokens) == len(answer.token_ids)
        assert value.tokens == pytest.approx(list(expected.tokens), abs=1e-5)
        assert value.value == pytest.approx(expected.value, abs=1e-5)


async def test_the_entropy_cutoff_makes_the_segments(tiny, pool, score, group) -> None:
    path, reference = tiny.classifier("unit"), tiny.language_model("reference")
    models = await pool(
        some=unit(path, reference),
        tokens=unit(path, reference, c_ent=0.0),
        one=unit(path, reference, c_ent=1000.0),
    )
    num_ends = {}
    for name in ("some", "tokens", "one"):
        values = await score(
            models, "unit_reward_model", group, model=name, spread="every_segment_last"
        )
        num_ends[name] = [sum(token != 0 for token in value.tokens) for value in values]
    assert num_ends["one"] == [1, 1, 1]
    assert num_ends["tokens"] == [len(text.encode()) for text in TEXTS]
    assert 1 < num_ends["some"][2] < num_ends["tokens"][2]


async def test_tokens_of_another_tokenizer_are_null(tiny, pool, score, group) -> None:
    path, reference = tiny.classifier("unit"), tiny.language_model("reference")
    models = await pool(default=unit(path, reference))
    first, second, third = group.completions
    foreign = tiny.tokenizer(shift=7)(first.text)["input_ids"]
    answers = [
        first.model_copy(update={"token_ids": foreign}),
        second.model_copy(update={"token_ids": None}),
        third.model_copy(update={"token_ids": [99_999]}),
        # An engine that stopped at a string cuts it off the text, and not off the tokens.
        second.model_copy(update={"text": TEXTS[0][:5], "token_ids": first.token_ids}),
    ]
    mixed = group.model_copy(update={"completions": answers})
    values = await score(models, "unit_reward_model", mixed)
    assert values[:3] == [
        "token_ids do not decode to the text with the tokenizer of model 'default'",
        "token_ids is missing",
        "token_ids has 99999, which model 'default' does not know",
    ]
    assert isinstance(values[3], TokenValues)


async def test_what_is_too_long_or_only_eos_is_null(tiny, pool, score, group) -> None:
    path, reference = tiny.classifier("unit"), tiny.language_model("reference")
    models = await pool(default=unit(path, reference, max_length_tokens=60))
    only_eos = Answer(text="", token_ids=[1])
    mixed = group.model_copy(update={"completions": [*group.completions, only_eos]})
    values = await score(models, "unit_reward_model", mixed)
    assert isinstance(values[0], TokenValues)
    assert "tokens, over max_length_tokens = 60" in values[2]
    assert values[3] == "the completion has no token but EOS"


async def test_the_models_must_share_their_tokenizer(tiny, pool, score, group) -> None:
    path, other = tiny.classifier("unit"), tiny.language_model("other", shift=7)
    models = await pool(default=unit(path, other))
    [value, *_] = await score(models, "unit_reward_model", group)
    assert "another tokenizer than" in value


async def test_each_reward_wants_models_of_its_kind(tiny, pool, score, group) -> None:
    path, reference = tiny.classifier("unit"), tiny.language_model("reference")
    models = await pool(default=unit(path, reference))
    [value, *_] = await score(models, "reward_model", group)
    assert value == "model 'default' is of kind unit. Fix: use the reward unit_reward_model"
    [value, *_] = await score(models, "unit_reward_model", group, spread="segment_last_avg")
    assert "normalize: model 'default' has no mean and std" in value
    other = ClassifierSpec(kind="classifier", path=str(path))
    [value, *_] = await score(await pool(default=other), "unit_reward_model", group)
    assert value == "model 'default' is of kind classifier. Fix: name one of kind unit"


async def test_parameters_come_from_a_file(tiny, pool, score, group, tmp_path: Path) -> None:
    path, reference = tiny.classifier("unit"), tiny.language_model("reference")
    file = tmp_path / "params.json"
    tree = {"phi3": {"data": {"peak": {"avg": {"1.75": [0.5, 0.1, 0.2, 3.0], "2": [1, 2]}}}}}
    file.write_text(json.dumps(tree))

    def spec(key: str, c_ent: float = C_ENT) -> UnitSpec:
        return unit(path, reference, normalization_file=file, normalization_key=key, c_ent=c_ent)

    models = await pool(
        file=spec("phi3/data/peak/avg/1.75"),
        direct=unit(path, reference, normalization=[0.5, 0.1, 0.2, 3.0]),
        unknown=spec("phi3/data/peak/avg/2.0"),
        short=spec("phi3/data/peak/avg/2"),
    )
    same = [
        await score(models, "unit_reward_model", group, model=name) for name in ("file", "direct")
    ]
    assert same[0] == same[1]
    [value, *_] = await score(models, "unit_reward_model", group, model="unknown")
    assert "has no '2.0' there. Fix: there is ['1.75', '2']" in value
    [value, *_] = await score(models, "unit_reward_model", group, model="short")
    assert "no list of four or five numbers" in value
