"""Tiny models with random weights, made here: no hub."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen2ForSequenceClassification,
)

from plaudit.schemas.common import Message
from plaudit.schemas.reward import Answer, RewardGroup, RewardSpec, ScoreRequest
from plaudit_reward.models.conversation import Conversation
from plaudit_reward.models.engine import EngineLimits
from plaudit_reward.models.pool import ModelPool
from plaudit_reward.models.spec import ModelSpec
from plaudit_reward.registry import Registry
from plaudit_reward.rewards import reward_model, unit_reward_model
from plaudit_reward.scoring import Resources, Scorer
from plaudit_reward.wire import Value

PAD, END, USER, ASSISTANT = "<|pad|>", "<|end|>", "<|user|>", "<|assistant|>"
TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ raise_exception('no system prompts here') }}{% endif %}"
    "{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
CONTEXT = 256


class Tiny:
    """Makes models in directories of one test session."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def tokenizer(
        self, *, side: str = "left", chat: bool = True, wrap: bool = False, shift: int = 0
    ) -> PreTrainedTokenizerFast:
        """One token per byte. `wrap` puts special tokens around a plain text, as all do without
        `chat`; `shift` numbers the bytes otherwise."""
        special = [PAD, END, USER, ASSISTANT]
        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
        tokens = special + alphabet[shift:] + alphabet[:shift]
        tokenizer = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=[]))
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        if wrap or not chat:
            tokenizer.post_processor = processors.TemplateProcessing(
                single=f"{USER} $A {END}", special_tokens=[(USER, 2), (END, 1)]
            )
        tokenizer.add_special_tokens(special)
        return PreTrainedTokenizerFast(
            tokenizer_object=tokenizer,
            eos_token=END,
            pad_token=PAD,
            padding_side=side,
            model_max_length=CONTEXT,
            chat_template=TEMPLATE if chat else None,
        )

    def classifier(
        self, name: str, *, num_labels: int = 1, bert: bool = False, **options: Any
    ) -> Path:
        tokenizer = self.tokenizer(**options)
        torch.manual_seed(0)
        if bert:
            sizes = self._sizes(tokenizer) | {"num_labels": num_labels, "initializer_range": 0.2}
            return self._save(name, BertForSequenceClassification(BertConfig(**sizes)), tokenizer)
        config = self._qwen2(tokenizer, num_labels=num_labels)
        return self._save(name, Qwen2ForSequenceClassification(config), tokenizer)

    def value_head(self, name: str, prefix: str = "score", **options: Any) -> Path:
        """Saved as a classifier of one label, whose head is then called `prefix`."""
        path = self.classifier(name, **options)
        weights = load_file(path / "model.safetensors")
        head = weights.pop("score.weight")
        save_file(
            {**weights, f"{prefix}.weight": head}, path / "model.safetensors", {"format": "pt"}
        )
        return path

    def language_model(self, name: str, seed: int = 1, **options: Any) -> Path:
        tokenizer = self.tokenizer(**options)
        torch.manual_seed(seed)
        # Sharp enough for entropies to differ.
        return self._save(name, Qwen2ForCausalLM(self._qwen2(tokenizer, 0.5)), tokenizer)

    def _qwen2(
        self, tokenizer: PreTrainedTokenizerFast, initializer_range: float = 0.2, **more: Any
    ) -> Qwen2Config:
        return Qwen2Config(
            **self._sizes(tokenizer),
            num_key_value_heads=1,
            initializer_range=initializer_range,
            tie_word_embeddings=False,
            bos_token_id=None,
            **more,
        )

    def _sizes(self, tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
        return {
            "vocab_size": len(tokenizer),
            "hidden_size": 64,  # vLLM on the CPU has no heads of less than 32
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "max_position_embeddings": CONTEXT,
            "pad_token_id": tokenizer.pad_token_id,
            "eos_token_id": tokenizer.eos_token_id,
        }

    def _save(self, name: str, model: Any, tokenizer: PreTrainedTokenizerFast) -> Path:
        path = self.root / name
        model.save_pretrained(path)
        tokenizer.save_pretrained(path)
        return path


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    torch.set_num_threads(1)
    return Tiny(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
async def pool() -> AsyncIterator[Callable[..., Any]]:
    """`models = await pool(default=ClassifierSpec(...))`."""
    async with AsyncExitStack() as stack:

        async def make(limits: EngineLimits | None = None, **specs: ModelSpec) -> ModelPool:
            return await stack.enter_async_context(ModelPool(specs, limits))

        yield make


@pytest.fixture
def score() -> Callable[..., Any]:
    """`await score(models, "reward_model", group, normalize=True)`, as the worker does it."""
    registry = Registry([reward_model.reward_model, unit_reward_model.unit_reward_model])

    async def call(
        models: ModelPool, name: str, group: RewardGroup, **params: Any
    ) -> Sequence[Value]:
        resources = Resources(others={ModelPool: models})
        scorer = Scorer(registry, "model", resources, 2**20)
        request = ScoreRequest(groups=[group], rewards=[RewardSpec(name=name, params=params)])
        return (await scorer.score(request)).groups[0][name]

    return call


@pytest.fixture
def ask() -> Callable[..., RewardGroup]:
    """`ask("4", "5")`: a group about a question."""

    def make(*texts: str, question: str = "What is 2 + 2?") -> RewardGroup:
        prompt = [Message(role="user", content=question)] if question else []
        completions = [Answer(text=text) for text in texts]
        return RewardGroup(group_id="g", prompt=prompt, completions=completions)

    return make


@pytest.fixture
def logits_of() -> Callable[..., list[list[float]]]:
    """What Hugging Face itself says, text by text: the truth that all else is compared with."""

    @torch.inference_mode()
    def call(path: Path, group: RewardGroup) -> list[list[float]]:
        model = AutoModelForSequenceClassification.from_pretrained(path).eval()
        tokenizer = AutoTokenizer.from_pretrained(path)
        found = []
        for one in group.completions:
            conversation = Conversation(group.prompt, one.text)
            if tokenizer.chat_template is None:
                inputs = tokenizer(conversation.joined(), return_tensors="pt")
            else:
                inputs = tokenizer.apply_chat_template(
                    conversation.messages(), return_tensors="pt", return_dict=True
                )
            inputs.pop("token_type_ids", None)
            found.append(model(**inputs).logits[0].tolist())
        return found

    return call
