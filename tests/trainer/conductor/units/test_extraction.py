"""Where units begin and end."""

import pytest

from plaudit.errors import ConfigError
from plaudit.schemas.recipe import DrcaRecipe, Recipe
from plaudit_trainer.conductor.units.extraction import units_of


@pytest.fixture
def texts_of(tokenizer, detokenizer):
    """What stands in each unit."""

    def find(completion, **recipe) -> list[str]:
        decoded = detokenizer.decode([5], completion.token_ids)
        units = units_of(completion, decoded, DrcaRecipe(**recipe))
        assert all(0 <= unit.start < unit.stop <= len(completion.token_ids) for unit in units)
        return [tokenizer.decode(completion.token_ids[unit.start : unit.stop]) for unit in units]

    return find


def test_lines_that_match_begin_units_that_end_before_the_next(texts_of, complete):
    text = "Preamble\nA. one\nmore\n*B. two\nAA. three\nlast"
    assert texts_of(complete(*text)) == ["A. one\nmore\n", "*B. two\n", "AA. three\nlast"]


@pytest.mark.parametrize(
    "line", ["a. one", "A.one", "A. ", "A.", " A. one", "AAA. one", "1. one", "So A. one"]
)
def test_other_lines_begin_none(texts_of, complete, line):
    wanted = [f"{line}\n", "B. two"] if line == "A. " else ["B. two"]
    assert texts_of(complete(*f"{line}\nB. two")) == wanted


def test_blank_lines_and_long_characters_move_no_offset(texts_of, complete):
    text = "😀 中\n\n\nA. ä\n\n\u2028\r\n\nB. 中\n"
    assert texts_of(complete(*text)) == ["A. ä\n\n\u2028\r\n\n", "B. 中\n"]
    assert texts_of(complete(text)) == ["A. ä\n\n\u2028\r\n\n", "B. 中\n"]


def test_at_most_max_units_begin_and_the_last_extends_to_the_end(texts_of, complete):
    text = "".join(f"{letter}. x\n" for letter in "ABCDE")
    assert texts_of(complete(*text), max_units=2) == ["A. x\n", "B. x\nC. x\nD. x\nE. x\n"]


def test_the_ending_token_is_in_no_unit_and_a_cut_completion_has_none(texts_of, complete):
    completion = complete("A. one")
    assert texts_of(completion) == ["A. one"]
    assert texts_of(complete("A. one", ends=False)) == ["A. one"]


@pytest.mark.parametrize("text", ["", "\n\n", "nothing of the kind"])
def test_without_a_match_there_are_no_units(texts_of, complete, text):
    assert texts_of(complete(text)) == []
    assert texts_of(complete(text, ends=False)) == []


def test_the_empty_think_block_is_in_no_unit(texts_of, complete):
    block = "<think>\n\n</think>\n\n"
    assert texts_of(complete(block, "A. one\n", "B. two")) == ["A. one\n", "B. two"]
    flat = [0.0] * len(complete(block, "one").token_ids)
    assert texts_of(complete(block, "one", entropies=flat), units="entropy") == ["one"]
    full = "<think>\nA. one\n</think>"
    assert texts_of(complete(full)) == ["A. one\n</think>"], "only an empty one is left out"


def test_a_pattern_of_ones_own(texts_of, complete):
    text = "<answer>1</answer>\n<opinion>up</opinion>"
    assert texts_of(complete(*text), pattern="<(answer|opinion)>") == [
        "<answer>1</answer>\n", "<opinion>up</opinion>",
    ]  # fmt: skip


def test_a_pattern_that_is_none_is_a_wrong_setting():
    with pytest.raises(ValueError, match=r"pattern[\s\S]*no regular expression"):
        Recipe.model_validate(
            {
                "name": "x",
                "rewards": [{"name": "accuracy"}],
                "method": {"name": "drca", "drca": {"pattern": "("}},
            }
        )


def test_a_token_drawn_from_more_entropy_begins_a_unit(texts_of, complete):
    completion = complete(*"abcdef", entropies=[9.0, 0.0, 1.6, 1.5, 0.0, 2.0, 9.0])
    assert texts_of(completion, units="entropy") == ["ab", "cde", "f"]
    assert texts_of(completion, units="entropy", entropy_cutoff=1.4) == ["ab", "c", "de", "f"]
    assert texts_of(completion, units="entropy", max_units=2) == ["ab", "cdef"]


def test_a_lone_ending_token_makes_no_unit(texts_of, complete):
    assert texts_of(complete("", entropies=[9.0]), units="entropy") == []


def test_entropies_that_the_rollout_service_leaves_out_are_a_wrong_version(texts_of, complete):
    with pytest.raises(ConfigError, match="gave no entropies"):
        texts_of(complete("a"), units="entropy")
