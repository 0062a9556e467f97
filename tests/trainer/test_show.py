"""What `plaudit data show` is told: text, tokens, what is learned, what was dropped."""

import json
from typing import Any

import pytest

from plaudit.schemas.recipe import (
    DpoRecipe,
    KtoRecipe,
    Recipe,
    RewardModelRecipe,
    RunRecipe,
    SftRecipe,
)
from plaudit_trainer.data.rendering import load_tokenizer
from plaudit_trainer.seed.tokenizer import make_tokenizer
from plaudit_trainer.show import shown

KINDS: dict[str, type[RunRecipe]] = {
    "grpo": Recipe,
    "sft": SftRecipe,
    "dpo": DpoRecipe,
    "kto": KtoRecipe,
    "rm": RewardModelRecipe,
}


@pytest.fixture(scope="module")
def tokenizer_dir(tmp_path_factory):
    path = tmp_path_factory.mktemp("tokenizer")
    make_tokenizer(["What is 1+1? 2"], vocabulary_size=300).save_pretrained(path)
    return str(path)


@pytest.fixture
def show(tmp_path, tokenizer_dir):
    """`show("sft", row, ...)`: what is told of a file with these rows."""

    def make(method, *rows, num_rows=3, **data):
        path = tmp_path / "rows.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        document: dict[str, Any] = {
            "name": "r",
            "method": {"name": method},
            "model": {"path": tokenizer_dir, "max_model_tokens": 64},
            "data": {"train": str(path), "eval": None} | data,
        }
        if method == "grpo":
            document |= {"rewards": [{"name": "accuracy"}]}
            document["method"] |= {"max_completion_tokens": 32}
        return shown(KINDS[method].model_validate(document), "train", num_rows)

    return make


def test_a_prompt_is_what_a_rollout_begins_with(show, tokenizer_dir):
    found = show("grpo", {"prompt": "1+1?", "answer": "2"}, format="prompt", system_prompt="Be.")
    [row] = found["rows"]
    [prompt] = row["sequences"]
    text = "<|system|>Be.<|end|><|user|>1+1?<|end|><|assistant|>"
    assert prompt["pieces"] == [{"learned": False, "text": text}]
    tokenizer = load_tokenizer(tokenizer_dir)
    assert prompt["token_ids"] == tokenizer(text, add_special_tokens=False)["input_ids"]
    assert (row["kind"], row["reference"], found["max_tokens"]) == ("free", {"answer": "2"}, 32)


def test_what_is_learned_of_a_conversation_is_told_apart(show):
    turns = [("user", "1?"), ("assistant", "One."), ("user", "2?"), ("assistant", "Two.")]
    row = {"messages": [{"role": role, "content": text} for role, text in turns]}
    [conversation] = show("sft", row, format="messages")["rows"][0]["sequences"]
    assert [(piece["learned"], piece["text"]) for piece in conversation["pieces"]] == [
        (False, "<|user|>1?<|end|><|assistant|>"),
        (True, "One.<|end|>"),
        (False, "<|user|>2?<|end|><|assistant|>"),
        (True, "Two.<|end|>"),
    ]
    assert conversation["num_learned"] == 10
    assert conversation["num_tokens"] == len(conversation["token_ids"])


PAIR = {"prompt": "Sky?", "chosen": "Blue.", "rejected": "Red.", "margin": 0.5}


def test_both_sides_of_a_pair_are_shown(show):
    [row] = show("dpo", PAIR, format="preference")["rows"]
    learned = [
        (one["name"], [piece["text"] for piece in one["pieces"] if piece["learned"]])
        for one in row["sequences"]
    ]
    assert learned == [("chosen", ["Blue.<|end|>"]), ("rejected", ["Red.<|end|>"])]
    assert row["margin"] == 0.5


def test_a_reward_model_reads_a_pair_and_learns_no_token_of_it(show):
    [row] = show("rm", PAIR, format="preference")["rows"]
    chosen, _ = row["sequences"]
    assert chosen["num_learned"] == 0
    assert chosen["pieces"][0]["text"].startswith("<|user|>Sky?<|end|><|assistant|>Blue.<|end|>")


def test_a_labelled_answer_is_shown_with_its_label(show):
    row = {"prompt": "Sky?", "completion": "Red.", "label": False}
    [found] = show("kto", row, format="labelled")["rows"]
    assert found["label"] is False
    assert found["sequences"][0]["pieces"][-1] == {"learned": True, "text": "Red.<|end|>"}


def test_rows_beyond_those_shown_are_counted_with_what_was_dropped(show):
    rows = [{"prompt": "a" * n} for n in (1, 2, 3, 99)]
    found = show("grpo", *rows, format="prompt", too_long="drop", num_rows=2)
    assert len(found["rows"]) == 2
    counts = found["counts"]
    assert (counts["rows"], counts["dropped"]) == (3, {"too_long": 1})
    assert counts["first_dropped"] == [{"reason": "too_long", "place": "row '4'"}]
