"""Answers of words, one of which alone is preferred: where does the reward fall?"""

import random
import statistics

import pytest
import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from plaudit.schemas.common import Message
from plaudit.schemas.examples import Preference
from plaudit_trainer.offline.reward_model.batch import Side
from plaudit_trainer.offline.unit_rm.method import segment_rewards
from plaudit_trainer.offline.unit_rm.rows import encode_pair
from plaudit_trainer.offline.unit_rm.segmenter import Segmenter

NOISE = ["ab", "cd", "ef", "gh", "ij", "kl"]
GOOD, BAD = "mn", "op"
WORDS = [*NOISE, GOOD, BAD]
NUM_WORDS, C_ENT = 5, 1.5


@pytest.fixture(scope="session")
def reference(tokenizer) -> Qwen2ForCausalLM:
    """A table of bigrams: within a word the next letter is certain, after a space no word is."""
    size = len(tokenizer)
    config = Qwen2Config(
        vocab_size=size, hidden_size=size - size % 2 + 2, intermediate_size=2, num_hidden_layers=1,
        num_attention_heads=1, num_key_value_heads=1, max_position_embeddings=256,
        tie_word_embeddings=False,
    )  # fmt: skip
    model = Qwen2ForCausalLM(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.model.norm.weight.fill_(1.0)
        model.model.embed_tokens.weight[:, :size] = torch.eye(size)
        [space, *_] = tokenizer(" ")["input_ids"]
        for word in WORDS:
            ids = tokenizer(word)["input_ids"]
            model.lm_head.weight[ids[0], space] = 1.0
            for token, following in zip(ids, [*ids[1:], space], strict=True):
                model.lm_head.weight[following, token] = 1.0
    return model


def pairs(count: int, seed: int) -> list[Preference]:
    """The answer that has more good words, less bad ones, is the chosen one."""
    rng = random.Random(seed)
    found: list[Preference] = []
    prompt = [Message(role="user", content="words")]
    while len(found) < count:
        answers = [rng.choices([GOOD, BAD, *NOISE], [4, 4] + [1] * 6, k=NUM_WORDS) for _ in "12"]
        worse, better = sorted(answers, key=value)
        if value(worse) < value(better):
            texts = {"chosen": " ".join(better), "rejected": " ".join(worse)}
            found.append(Preference(id=str(len(found)), prompt=prompt, **texts))
    return found


def value(words: list[str]) -> int:
    return words.count(GOOD) - words.count(BAD)


def test_a_segment_is_a_word_and_the_space_after_it(tokenizer, reference) -> None:
    [pair] = pairs(1, 0)
    row = encode_pair(tokenizer, pair, "here", 256)
    side = Side(row["chosen_ids"], row["num_prompt_tokens"])
    [ends] = Segmenter(reference, C_ENT)([side])
    starts = [side.num_prompt_tokens, *(end + 1 for end in ends)]
    segments = [side.ids[a : b + 1] for a, b in zip(starts, ends, strict=False)]
    assert [tokenizer.decode(ids).strip() for ids in segments] == pair.chosen.split()
    assert ends[-1] == len(side.ids) - 2, "EOS is in no segment"


def test_the_words_that_decide_get_the_reward(train, tokenizer, reference, tmp_path) -> None:
    """Nobody says which words do: pairs of whole answers are all there is to learn from."""
    reference.save_pretrained(tmp_path / "reference")
    tokenizer.save_pretrained(tmp_path / "reference")
    trainer, run = train(
        "unit_rm", pairs(512, seed=0), held_out := pairs(64, seed=1), steps=25,
        batch_size=32, learning_rate=5e-3, c_ent=C_ENT,
        reference_path=str(tmp_path / "reference"),
    )  # fmt: skip
    summary = run.read_json("summary.json")
    assert summary["gain_ci95"][0] > 0.0
    trainer.pairs = [encode_pair(tokenizer, pair, "", 256) | {"margin": 0.0} for pair in held_out]
    order = random.Random(0).sample(held_out, len(held_out))
    texts = [text for pair in order for text in (pair.chosen, pair.rejected)]
    rewards: dict[str, list[float]] = {GOOD: [], BAD: [], "noise": []}
    for text, found in zip(texts, segment_rewards(run.offline_recipe(), trainer), strict=True):
        for word, reward in zip(text.split(), found, strict=True):
            rewards[word if word in rewards else "noise"].append(reward)
    assert separation(rewards[GOOD], rewards[BAD]) > 0.97
    assert separation(rewards[GOOD], rewards["noise"]) > 0.75
    assert separation(rewards["noise"], rewards[BAD]) > 0.75


def separation(above: list[float], below: list[float]) -> float:
    """How often one of `above` is over one of `below`."""
    return statistics.fmean(a > b for a in above for b in below)
