"""The discriminator learns as plain torch does, versions what it learned, and scores by it."""

import asyncio
import math
import os
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from plaudit.errors import ConfigError, Corrupt, Rejected
from plaudit.schemas.discriminator import DiscriminatorUpdated
from plaudit.schemas.reward import RewardSpec, ScoreRequest
from plaudit_reward.models.discriminator.form import reward_of
from plaudit_reward.models.local.discriminator import Discriminator, Lesson, load_discriminator
from plaudit_reward.models.local.encoder import Encoded
from plaudit_reward.models.pool import ModelPool
from plaudit_reward.models.spec import ClassifierSpec, DiscriminatorSpec
from plaudit_reward.registry import Registry
from plaudit_reward.rewards.discriminator import discriminator
from plaudit_reward.scoring import Resources, Scorer
from tests.reward.models.discriminator.conftest import slate

EXPERTS = ["the sum is four", "the sum is nine", "the sum is two"]
POLICY = ["idk maybe 4??", "idk maybe 9??", "who knows"]


def loaded(spec: DiscriminatorSpec, max_batch_tokens: int = 4096) -> Discriminator:
    return load_discriminator("default", spec, max_batch_tokens)


def teach(
    model: Discriminator,
    update_id: str,
    experts: list[str] = EXPERTS,
    policy: list[str] = POLICY,
    steps: int = 1,
) -> DiscriminatorUpdated:
    batch = [encoded(model, text) for text in (*experts, *policy)]
    labels = [1] * len(experts) + [0] * len(policy)
    num_choices = [0] * len(experts) + [1] * len(policy)
    return model.learn(Lesson(update_id, batch, labels, num_choices, steps, 0))


def encoded(model: Discriminator, text: str) -> Encoded:
    from plaudit_reward.models.conversation import Conversation

    found = model.encoder.encode(Conversation([], text), "truncate")
    assert isinstance(found, Encoded)
    return found


def of(model: Discriminator, *texts: str) -> list[float]:
    return model.compute([encoded(model, text) for text in texts])


def weights(model: Discriminator) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.model.state_dict().items()}


@pytest.mark.parametrize("max_batch_tokens", [4096, 30], ids=["one batch", "many batches"])
def test_steps_are_those_of_plain_torch(spec, max_batch_tokens: int) -> None:
    one = spec(learning_rate=1e-4, max_grad_norm=0.5)
    model = loaded(one, max_batch_tokens)
    plain = AutoModelForSequenceClassification.from_pretrained(one.path, num_labels=2).train()
    tokenizer = AutoTokenizer.from_pretrained(one.path)
    optimizer = torch.optim.AdamW(plain.parameters(), lr=1e-4)
    inputs = tokenizer(EXPERTS + POLICY, return_tensors="pt", padding=True, padding_side="right")
    inputs.pop("token_type_ids", None)
    labels = torch.tensor([1, 1, 1, 0, 0, 0])
    for step in range(3):
        answer = teach(model, f"u{step}")
        logits = plain(**inputs).logits
        loss = torch.nn.functional.cross_entropy(logits, labels)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(plain.parameters(), 0.5)
        optimizer.step()
        assert answer.loss == pytest.approx(loss.item(), abs=1e-6)
        assert answer.accuracy == (logits.argmax(-1) == labels).float().mean().item()
        d = logits.softmax(-1)[:, 1]
        separation = d[labels == 1].mean() - d[labels == 0].mean()
        assert answer.separation == pytest.approx(separation.item(), abs=1e-6)
        ours = model.model.state_dict()
        for name, value in plain.state_dict().items():
            # A bias of all keys changes no attention: its gradient is noise, which Adam scales up.
            if not name.endswith("k_proj.bias"):
                torch.testing.assert_close(ours[name], value, atol=1e-6, rtol=0)


def test_separation_is_from_all_answers_of_the_policy_right_ones_among_them(spec) -> None:
    """Two answers did as the expert did, one otherwise; the last text is nobody's answer."""
    model = loaded(spec())
    texts = [EXPERTS[0], POLICY[0], POLICY[1]]
    right, wrong, _ = of(model, *texts)
    batch = [encoded(model, text) for text in texts]
    answer = model.learn(Lesson("u0", batch, [1, 0, 0], [2, 1, 0], 1, 0))
    assert answer.separation == pytest.approx(right - (2 * right + wrong) / 3, abs=1e-5)
    alone = model.learn(Lesson("u1", batch, [1, 0, 0], [0, 0, 0], 1, 0))
    assert alone.separation is None, "there is no answer of the policy"


def test_it_learns_to_tell_the_expert_from_the_policy(spec) -> None:
    model = loaded(spec(learning_rate=1e-3))
    first = teach(model, "u0")
    for step in range(1, 40):
        last = teach(model, f"u{step}")
    assert abs(first.accuracy - 0.5) <= 0.2 and first.version == 1
    assert last.accuracy == 1.0 and last.version == 40 and last.loss < 0.1
    unseen, other = of(model, "the sum is six", "idk maybe 6??")
    assert unseen > 0.9 and other < 0.1


def test_a_worker_that_starts_goes_on_where_the_last_one_was(spec) -> None:
    one = spec(learning_rate=1e-3)
    through = loaded(one)
    for step in range(2):
        teach(through, f"u{step}")
    again = loaded(one)
    assert again.catch_up().version == 2
    teach(again, "u2")
    expected = weights(again)
    apart = loaded(spec(learning_rate=1e-3, directory=one.directory.parent / "apart"))
    for step in range(3):
        teach(apart, f"u{step}")
    for name, value in weights(apart).items():
        torch.testing.assert_close(expected[name], value, atol=0, rtol=0)


def test_a_worker_scores_by_what_another_has_learned(spec) -> None:
    one = spec(learning_rate=1e-3)
    a, b = loaded(one), loaded(one)
    for model in (a, b):
        model.catch_up()
    assert of(a, "x") == of(b, "x")
    teach(a, "u")
    assert of(a, "x") != of(b, "x")
    assert b.catch_up().version == 1
    assert of(a, "x") == of(b, "x")
    assert teach(b, "v").version == 2
    assert teach(a, "w").version == 3


def test_an_update_that_is_sent_again_is_the_same_step(spec) -> None:
    one = spec()
    a, b = loaded(one), loaded(one)
    answer = teach(a, "u")
    teach(a, "v")
    before = weights(a)
    assert teach(a, "u") == answer and teach(b, "u") == answer
    assert a.versions.newest() == 2
    for name, value in weights(a).items():
        assert torch.equal(before[name], value)


def test_a_late_writer_is_refused_and_goes_on_from_the_newest(spec) -> None:
    one = spec(learning_rate=1e-3)
    late, quick = loaded(one), loaded(one)
    late.catch_up()
    measured = late._backward

    def overtaken(lesson: Lesson) -> Any:
        late._backward = measured  # type: ignore[method-assign]
        teach(quick, "quick")
        return measured(lesson)

    late._backward = overtaken  # type: ignore[method-assign]
    with pytest.raises(Exception, match="another worker has made version 1"):
        teach(late, "late")
    assert late.catch_up().version == 1
    assert of(late, "x") == of(quick, "x")
    assert teach(late, "late").version == 2


def test_weights_that_are_not_finite_are_never_a_version(spec) -> None:
    model = loaded(spec())
    teach(model, "u")
    good = of(model, "x")
    measured = model._backward

    def poisoned(lesson: Lesson) -> Any:
        found = measured(lesson)
        next(model.model.parameters()).grad.fill_(math.nan)
        return found

    model._backward = poisoned  # type: ignore[method-assign]
    with pytest.raises(Rejected, match="gradient of this update is not finite"):
        teach(model, "v")
    model.catch_up()
    assert of(model, "x") == good
    assert not model.model.training


def test_an_update_without_examples_changes_nothing(spec) -> None:
    model = loaded(spec())
    answer = teach(model, "u", [], [])
    assert (answer.version, answer.loss, answer.accuracy) == (0, None, None)
    assert model.versions.newest() == 0


def test_old_versions_make_room(spec) -> None:
    model = loaded(spec(keep_versions=2))
    for step in range(4):
        teach(model, f"u{step}")
    names = sorted(path.name for path in model.versions.directory.iterdir())
    assert names == ["v0000000003", "v0000000004"]


def test_to_remove_the_newest_version_goes_back(spec) -> None:
    model = loaded(spec())
    first = teach(model, "u")
    expected = of(model, "x")
    teach(model, "v")
    newest = model.versions.path_of(2)
    newest.rename(newest.with_name("kept-elsewhere"))
    assert model.catch_up().version == first.version
    assert of(model, "x") == expected


def test_a_version_that_is_not_whole_is_refused(spec) -> None:
    one = spec()
    teach(loaded(one), "u")
    file = one.directory / "v0000000001" / "weights.safetensors"
    with file.open("r+b") as opened:
        opened.seek(-1, os.SEEK_END)
        last = opened.read(1)
        opened.seek(-1, os.SEEK_END)
        opened.write(bytes([last[0] ^ 1]))
    with pytest.raises(Corrupt, match=r"v0000000001 is not whole: its checksums differ.*remove it"):
        loaded(one).catch_up()


def test_what_a_writer_left_that_died_is_no_version(spec) -> None:
    one = spec()
    (one.directory / ".writing-1").mkdir(parents=True)
    (one.directory / ".writing-1" / "weights.safetensors").write_bytes(b"half")
    model = loaded(one)
    assert teach(model, "u").version == 1
    os.utime(one.directory / ".writing-1", (0, 0))
    teach(model, "v")
    assert not (one.directory / ".writing-1").exists()


def test_versions_of_another_model_are_refused(spec, tiny) -> None:
    one = spec()
    loaded(one).catch_up()
    other = tiny.classifier("other-base", num_labels=2, chat=False)
    with pytest.raises(ConfigError, match="started from path"):
        loaded(spec(path=str(other))).catch_up()


def test_a_base_without_a_head_gets_the_same_one_everywhere(spec, tiny, tmp_path) -> None:
    path = str(tiny.language_model("headless", chat=False))
    a, b = (loaded(spec(path=path, directory=tmp_path / name)) for name in "ab")
    assert of(a, "x") == of(b, "x")
    assert of(a, "x") != of(loaded(spec(path=path, directory=tmp_path / "c", seed=1)), "x")


def test_a_base_that_lacks_more_than_a_head_is_refused(spec, tiny) -> None:
    path = tiny.language_model("bodiless", chat=False)
    save_file({"score.weight": torch.zeros(2, 64)}, path / "model.safetensors", {"format": "pt"})
    with pytest.raises(ConfigError, match="its file lacks weights"):
        loaded(spec(path=str(path)))


def test_a_text_that_is_too_long_keeps_its_action(spec) -> None:
    model = loaded(spec(max_length_tokens=8))
    assert of(model, "x" * 10_000 + "action") == of(model, "y" * 10_000 + "action")


FORMS = [
    ("prob", 0.75, 0.75),
    ("neglog1m", 0.75, math.log(4)),
    ("airl", 0.75, math.log(3)),
    ("airl", 0.5, 0.0),
    ("prob", 0.0, 1e-6),
    ("neglog1m", 1.0, -math.log(1e-6)),
    ("airl", 0.0, math.log(1e-6) - math.log1p(-1e-6)),
    ("airl", 1.0, math.log1p(-1e-6) - math.log(1e-6)),
]


@pytest.mark.parametrize(("form", "probability", "reward"), FORMS)
def test_forms(form: Any, probability: float, reward: float) -> None:
    assert reward_of(probability, form) == pytest.approx(reward, rel=1e-9)


async def values(models: ModelPool, group: Any, **params: Any) -> Any:
    scorer = Scorer(
        Registry([discriminator]), "model", Resources(others={ModelPool: models}), 2**20
    )
    asked = RewardSpec(name="discriminator", params=params)
    found = await scorer.score(ScoreRequest(groups=[group], rewards=[asked]))
    return found.groups[0]["discriminator"]


async def test_the_reward_is_d_of_the_chosen_option(spec, pool) -> None:
    one = spec()
    models = await pool(default=one)
    model = loaded(one)
    answers = [f"<answer>{text}</answer>" for text in ("1", "dogs", "7")]
    found = await values(models, slate(*answers, "no answer"), alpha=2.0)
    texts = [
        f"STATE: watched: wolves\nSLATE: cats | dogs | birds\nACTION_NAME: {name}"
        for name in ("cats", "dogs")
    ]
    assert found == [*(pytest.approx(2 * d, abs=1e-5) for d in of(model, *texts)), 0.0, 0.0]
    [d, *_] = found
    [airl, *_] = await values(models, slate(*answers), form="airl")
    assert airl == pytest.approx(math.log(d / 2) - math.log(1 - d / 2), abs=1e-4)


async def test_control_tokens_and_missing_situations_are_null(spec, pool, ask) -> None:
    models = await pool(default=spec())
    bad, good = await values(models, ask("<|end|> ha", "four"))
    assert "control token '<|end|>'" in bad and isinstance(good, float)
    assert await values(models, ask("four", question="")) == [
        "reference.discriminator.state is missing, and so is the prompt"
    ]


async def test_a_model_of_another_kind_is_null_with_the_reason(spec, pool, ask, score) -> None:
    models = await pool(default=ClassifierSpec(kind="classifier", path="/nowhere"), d=spec())
    [value] = await values(models, ask("four"))
    assert "is of kind classifier. Fix: name one of kind discriminator" in value
    [value] = await score(models, "reward_model", ask("four"), model="d")
    assert "use the reward discriminator" in value


async def test_scores_while_it_learns_are_of_whole_versions(spec, pool, ask) -> None:
    one = spec(learning_rate=1e-3)
    models = await pool(default=one)
    teacher = loaded(one)
    seen = {0: of(teacher, "STATE: What is 2 + 2?\nACTION_NAME: four")[0]}
    found = []
    for step in range(5):
        scoring = asyncio.gather(*(values(models, ask("four")) for _ in range(8)))
        answer = await asyncio.to_thread(teach, teacher, f"u{step}")
        seen[answer.version] = of(teacher, "STATE: What is 2 + 2?\nACTION_NAME: four")[0]
        found += [value for [value] in await scoring]
    for value in found:
        assert min(abs(value - one) for one in seen.values()) < 1e-6
