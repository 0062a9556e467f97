"""From a conversation to the tokens that a reward model reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from jinja2.exceptions import TemplateError
from transformers import PreTrainedTokenizerBase

from plaudit.reward_text import with_eos
from plaudit_reward.models.conversation import Conversation
from plaudit_reward.reward import Missing

TooLong = Literal["null", "truncate"]


@dataclass(frozen=True)
class Encoded:
    token_ids: list[int]
    truncated: bool = False


@dataclass(frozen=True)
class Encoder:
    """Not for several threads at once: a fast tokenizer keeps its truncation in itself."""

    tokenizer: PreTrainedTokenizerBase
    max_length_tokens: int
    vocabulary_size: int
    chat: bool
    append_eos: bool = False

    def encode_all(
        self, conversations: Sequence[Conversation], too_long: TooLong
    ) -> list[Encoded | Missing]:
        return [self.encode(one, too_long) for one in conversations]

    def encode(self, conversation: Conversation, too_long: TooLong) -> Encoded | Missing:
        """Missing where there are no tokens of the text, or they would not be what it says."""
        if found := control_token(self.tokenizer, conversation.completion):
            return Missing(f"the text holds the control token {found!r}")
        try:
            ids = self._ids(text := self.rendered(conversation))
        except TemplateError as error:
            return Missing(f"the chat template refuses the conversation: {str(error)[:200]}")
        except UnicodeEncodeError:
            return Missing("the text is not valid Unicode")
        if len(ids) > self.max_length_tokens and too_long == "null":
            return Missing(
                f"the text has {len(ids)} tokens, over max_length_tokens = {self.max_length_tokens}"
            )
        truncated = len(ids) > self.max_length_tokens
        ids = self._ids(text, self.max_length_tokens) if truncated else ids
        if not ids or max(ids) >= self.vocabulary_size:
            return Missing("the text has no tokens that the model knows")
        return Encoded(ids, truncated)

    def rendered(self, conversation: Conversation) -> str:
        if not self.chat:
            return self._with_eos(conversation.joined())
        text = self.tokenizer.apply_chat_template(conversation.messages(), tokenize=False)
        return self._with_eos(str(text))

    def _with_eos(self, text: str) -> str:
        eos = str(self.tokenizer.eos_token or "")
        return with_eos(text, eos) if self.append_eos and eos else text

    def _ids(self, text: str, max_length: int | None = None) -> list[int]:
        """With `max_length`, of the end of the text. A template brings its own special tokens."""
        text.encode()
        self.tokenizer.truncation_side = "left"
        found = self.tokenizer(
            text,
            add_special_tokens=not self.chat,
            truncation=max_length is not None,
            max_length=max_length,
            verbose=False,
        )
        return list(found["input_ids"])


def special_tokens(tokenizer: PreTrainedTokenizerBase) -> dict[int, str]:
    """Those that begin, end or part texts, by id."""
    added = tokenizer.added_tokens_decoder.items()
    return {index: one.content for index, one in added if one.special}


def control_token(tokenizer: PreTrainedTokenizerBase, text: str) -> str | None:
    """A special token written out in a completion would end it, or begin another's message."""
    return next((one for one in special_tokens(tokenizer).values() if one in text), None)


def wants_chat(template: str, tokenizer: PreTrainedTokenizerBase) -> bool:
    return template == "chat" or (template == "auto" and tokenizer.chat_template is not None)
