"""What rewards call: guards, plain answers and a cache before the pool of processes."""

from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b

from plaudit_reward.metrics import VERIFICATIONS
from plaudit_reward.reward import Missing, Score
from plaudit_reward.verifier.guards import refusal
from plaudit_reward.verifier.marked import marked_answer
from plaudit_reward.verifier.plain import decide
from plaudit_reward.verifier.pool import VerifierPool

MAX_CACHED = 50_000


class Verifier:
    """Verdicts on answers, each asked of Math-Verify at most once."""

    def __init__(self, pool: VerifierPool) -> None:
        self._pool = pool
        self._cache: OrderedDict[bytes, Score] = OrderedDict()

    async def verify(self, gold: str, texts: Sequence[str], extract: str) -> list[Score]:
        """1.0 where the answer in the text equals `gold`, 0.0 where another or none is found."""
        if reason := refusal(gold):
            return [Missing(f"reference.answer: {reason}")] * len(texts)
        texts = [marked_answer(text, extract) for text in texts]
        known = {text: self._without_asking(gold, text, extract) for text in set(texts)}
        unknown = [text for text, score in known.items() if score is None]
        if unknown:
            asked = await self._pool.ask(gold, unknown, extract)
            VERIFICATIONS.labels("asked").inc(len(asked))
            for text, answer in zip(unknown, asked, strict=True):
                known[text] = answer
                self._remember(_key(gold, text, extract), answer)
        return [score for text in texts if (score := known[text]) is not None]

    def _without_asking(self, gold: str, text: str, extract: str) -> Score | None:
        if reason := refusal(text):
            VERIFICATIONS.labels("refused").inc()
            return Missing(f"the answer is not verified: {reason}")
        plain = decide(gold, text, extract)
        if plain is not None:
            VERIFICATIONS.labels("plain").inc()
            return plain
        key = _key(gold, text, extract)
        if key in self._cache:
            VERIFICATIONS.labels("cached").inc()
            self._cache.move_to_end(key)
            return self._cache[key]
        return None

    def _remember(self, key: bytes, score: Score) -> None:
        if isinstance(score, Missing) and score.retryable:
            return
        self._cache[key] = score
        if len(self._cache) > MAX_CACHED:
            self._cache.popitem(last=False)


def _key(gold: str, text: str, extract: str) -> bytes:
    return blake2b(f"{extract}\0{gold}\0{text}".encode(errors="surrogatepass")).digest()[:16]
