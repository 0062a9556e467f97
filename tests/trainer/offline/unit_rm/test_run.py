"""A run of unit_rm: extremes of the cutoff, the file it leaves, and a foreign reference."""

import json
from pathlib import Path

import pytest

from plaudit.errors import ConfigError
from plaudit.schemas.common import Message
from plaudit.schemas.examples import Preference
from plaudit_trainer.seed.tokenizer import make_tokenizer

PROMPT = [Message(role="user", content="2 + 2?")]
PAIRS = [
    Preference(id=str(i), prompt=PROMPT, chosen="4" * (i % 3 + 1), rejected="no" * (i % 2 + 1))
    for i in range(8)
]


@pytest.mark.parametrize(("c_ent", "segments"), [(0.0, None), (1000.0, 1.0)])
def test_every_token_is_a_segment_or_the_whole_answer_is(train, c_ent, segments) -> None:
    _, run = train("unit_rm", PAIRS, PAIRS, steps=1, batch_size=4, c_ent=c_ent, num_fit_samples=5)
    figures = run.read_json("eval_after.json")["figures"]
    num_tokens = sum(len(pair.chosen) + len(pair.rejected) for pair in PAIRS) / (2 * len(PAIRS))
    assert figures["segments_per_answer"] == (segments or num_tokens)
    assert figures["tokens_per_segment"] == pytest.approx(num_tokens / (segments or num_tokens))

    fit = json.loads((run.path / "final/normalization.json").read_text())
    found = fit[Path(run.offline_recipe().model.path).name]["train"]["peak"]["avg"][f"{c_ent:g}"]
    assert fit["fit"]["num_answers"] == 5
    if segments == 1.0:
        assert found == [0.0, 0.0, 0.0, 1.0, 0.0] and "1 place" in fit["fit"]["warning"]
    else:
        assert found[3] > 0.0 and fit["fit"]["r2_mean"] is not None


def test_a_reference_of_another_tokenizer_is_refused(train, model_dir, tmp_path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for name in ("config.json", "model.safetensors"):
        (other / name).symlink_to(model_dir / name)
    make_tokenizer(["the the the"], vocabulary_size=262).save_pretrained(other)
    with pytest.raises(ConfigError, match="another tokenizer than"):
        train("unit_rm", PAIRS, PAIRS, steps=1, batch_size=4, reference_path=str(other))


def test_a_reference_that_is_not_there_is_named(train, tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"method.reference_path = .*nowhere': no model is there"):
        train("unit_rm", PAIRS, PAIRS, steps=1, reference_path=str(tmp_path / "nowhere"))
