"""The saved model and tokenizer, read back the way that the services read them."""

import json
import random
import unicodedata
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from plaudit_trainer.seed import SeedPaths, SeedSettings
from plaudit_trainer.seed.model import make_model
from plaudit_trainer.seed.muon import orthogonalize


@pytest.fixture(scope="module")
def tokenizer(quick_seed: SeedPaths) -> PreTrainedTokenizerFast:
    tokenizer = AutoTokenizer.from_pretrained(quick_seed.model_dir)
    assert isinstance(tokenizer, PreTrainedTokenizerFast)
    return tokenizer


@pytest.mark.parametrize(
    "text",
    [
        "What is 23+45?",
        "```python\nprint(int(input())*3+2)\n```",
        "  two  spaces\t\r\n\n trailing ",
        "Größe, 数学, עברית, 👩‍👩‍👧, \u0000\u200b\ufeff",
        "".join(map(chr, range(256))),
    ],
)
def test_any_text_survives_the_round_trip(tokenizer: PreTrainedTokenizerFast, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_random_unicode_survives_the_round_trip(tokenizer: PreTrainedTokenizerFast) -> None:
    rng = random.Random(0)
    points = [point for point in range(0x110000) if not 0xD800 <= point < 0xE000]
    for _ in range(50):
        text = "".join(map(chr, rng.choices(points, k=30)))
        assert tokenizer.decode(tokenizer.encode(text)) == unicodedata.normalize("NFC", text)


def test_no_token_lies_outside_the_embeddings(
    tokenizer: PreTrainedTokenizerFast, quick_settings: SeedSettings
) -> None:
    """Reading a Qwen2 model's tokenizer adds the tokens that its class misses."""
    assert len(tokenizer) == quick_settings.vocabulary_size
    assert max(tokenizer.get_vocab().values()) == quick_settings.vocabulary_size - 1


def test_every_digit_is_a_token(tokenizer: PreTrainedTokenizerFast) -> None:
    tokens = [tokenizer.decode([token]) for token in tokenizer.encode("What is 1234567890+42?")]
    assert [token for token in tokens if any(map(str.isdigit, token))] == list("123456789042")


def test_the_chat_template_marks_roles_and_ends_turns(tokenizer: PreTrainedTokenizerFast) -> None:
    conversation = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Greet Bob."},
        {"role": "assistant", "content": "Hello."},
    ]
    text = tokenizer.apply_chat_template(conversation, tokenize=False)
    assert text == "<|system|>Be brief.<|end|><|user|>Greet Bob.<|end|><|assistant|>Hello.<|end|>"
    opened = tokenizer.apply_chat_template(
        conversation[:2], tokenize=False, add_generation_prompt=True
    )
    assert opened == "<|system|>Be brief.<|end|><|user|>Greet Bob.<|end|><|assistant|>"
    ids = tokenizer.encode(opened)
    assert ids.count(tokenizer.eos_token_id) == 2
    assert tokenizer.decode(ids[-1:]) == "<|assistant|>"


def test_an_unknown_role_is_refused(tokenizer: PreTrainedTokenizerFast) -> None:
    with pytest.raises(Exception, match="unknown role: tool"):
        tokenizer.apply_chat_template([{"role": "tool", "content": "1"}], tokenize=False)


def test_prompts_and_replies_are_short(
    quick_seed: SeedPaths, tokenizer: PreTrainedTokenizerFast
) -> None:
    from plaudit_trainer.seed.dataset import make_dataset

    for problem in make_dataset(SeedSettings()).train:
        prompt = tokenizer.apply_chat_template(
            problem.messages(), tokenize=False, add_generation_prompt=True
        )
        assert len(tokenizer.encode(prompt)) <= 40
        for reply in (*problem.right, *problem.habits):
            assert len(tokenizer.encode(reply)) + 1 <= 32


def test_the_saved_model_is_an_untied_float32_qwen2(quick_seed: SeedPaths) -> None:
    model = AutoModelForCausalLM.from_pretrained(quick_seed.model_dir)
    assert model.config.model_type == "qwen2"
    assert model.config.max_position_embeddings >= 2048
    assert not model.config.tie_word_embeddings
    assert model.lm_head.weight.data_ptr() != model.model.embed_tokens.weight.data_ptr()
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_generation_stops_at_the_end_of_a_turn(
    quick_seed: SeedPaths, tokenizer: PreTrainedTokenizerFast
) -> None:
    """And nothing else is set: vLLM takes sampling defaults from this file."""
    model = AutoModelForCausalLM.from_pretrained(quick_seed.model_dir)
    stored = json.loads((quick_seed.model_dir / "generation_config.json").read_text())
    assert not {"temperature", "top_k", "top_p", "do_sample"} & set(stored)
    assert model.generation_config.eos_token_id == tokenizer.eos_token_id
    assert model.generation_config.pad_token_id == tokenizer.pad_token_id


def test_the_demo_model_is_well_under_five_million_parameters(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    model = make_model(SeedSettings(), tokenizer)
    assert sum(parameter.numel() for parameter in model.parameters()) < 2_000_000


def test_building_leaves_the_callers_random_state_and_threads_alone(
    tmp_path: Path, quick_settings: SeedSettings
) -> None:
    from plaudit_trainer.seed import build_seed

    state, num_threads = torch.get_rng_state(), torch.get_num_threads()
    build_seed(tmp_path, settings=quick_settings)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == num_threads


@pytest.mark.parametrize("shape", [(24, 24), (48, 24), (24, 48)])
def test_orthogonalized_updates_have_singular_values_near_one(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    singular_values = torch.linalg.svdvals(orthogonalize(matrix))
    assert singular_values.max() < 1.3
    assert singular_values.median() > 0.6
