"""Where each token stands in a completion's text, exact for whatever bytes the tokens are."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plaudit.errors import ConfigError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_INVALID_PREFIX = "Invalid prefix encountered"


@dataclass(frozen=True)
class Decoded:
    """`offsets[i]`: characters that the first i tokens make, so there is one more than tokens.

    Where a character takes several tokens, it is there with the last of them.
    """

    text: str
    offsets: Sequence[int]

    @property
    def num_tokens(self) -> int:
        return len(self.offsets) - 1

    def token_at(self, offset: int) -> int:
        """The first token of the character there; `num_tokens` at the text's end."""
        token = bisect_left(self.offsets, offset)
        return token if self.offsets[token] == offset else token - 1


class Detokenizer:
    """The policy's tokenizer, which makes the same text as vLLM: it streams tokens, too."""

    def __init__(self, tokenizer: "Tokenizer") -> None:
        self._tokenizer = tokenizer

    def decode(self, prompt_token_ids: Sequence[int], token_ids: Sequence[int]) -> Decoded:
        from tokenizers.decoders import DecodeStream

        stream = DecodeStream(ids=list(prompt_token_ids), skip_special_tokens=True)
        parts: list[str] = []
        offsets = [0]
        for token_id in token_ids:
            try:
                part = stream.step(self._tokenizer, token_id)
            except Exception as error:
                # why: tokenizers raises no narrower one. Bytes that are no UTF-8 confuse the
                # stream, and vLLM begins a new one there, too.
                if not str(error).startswith(_INVALID_PREFIX):
                    raise
                stream = DecodeStream(skip_special_tokens=True)
                part = stream.step(self._tokenizer, token_id)
            parts.append(part or "")
            offsets.append(offsets[-1] + len(parts[-1]))
        return Decoded("".join(parts), offsets)


def load_detokenizer(path: str) -> Detokenizer:
    """Takes seconds. Raises ConfigError."""
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    fix = "give a model directory, or a hub id that can be reached, with a tokenizer.json"
    try:
        tokenizer = AutoTokenizer.from_pretrained(path)
    except (OSError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ConfigError(
            f"model.path = {path!r}: the tokenizer cannot be loaded ({reason}).", fix=fix
        ) from error
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise ConfigError(
            f"model.path = {path!r}: method.name = 'drca' needs a fast tokenizer.", fix=fix
        )
    return Detokenizer(tokenizer.backend_tokenizer)
