"""Tokenised prompts, remembered: a prompt comes back in every epoch."""

from collections import OrderedDict

from plaudit.schemas.common import Message
from plaudit_rollout.engine.client import EngineClient, Tokenized

_Key = tuple[str, tuple[Message, ...]]


class Prompts:
    """Least recently used ones are forgotten first."""

    def __init__(self, engine: EngineClient, max_prompts: int) -> None:
        self._engine = engine
        self._max_prompts = max_prompts
        self._known: OrderedDict[_Key, Tokenized] = OrderedDict()

    async def tokenize(self, messages: list[Message], life: str) -> Tokenized:
        """With the chat template. `life`: a restarted engine may have another tokenizer.

        Raises:
            Rejected: the template refuses these messages.
            EngineLost, EngineFailed: as the engine's client does.
        """
        key = (life, tuple(messages))
        if key in self._known:
            self._known.move_to_end(key)
            return self._known[key]
        found = self._known[key] = await self._engine.tokenize(messages)
        if len(self._known) > self._max_prompts:
            self._known.popitem(last=False)
        return found
