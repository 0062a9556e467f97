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
_ASKED, _CACHED, _PLAIN, _REFUSED = map(
    VERIFICATIONS.labels, ("asked", "cached", "plain", "refused")
)


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
        known: dict[str, Score] = {}
        unknown: dict[str, bytes] = {}
        for text in dict.fromkeys(texts):
            score = _decided(gold, text, extract)
            if score is None:
                key = _key(gold, text, extract)
                score = self._remembered(key)
            if score is None:
                unknown[text] = key
            else:
                known[text] = score
        if unknown:
            known |= await self._ask(gold, unknown, extract)
        return [known[text] for text in texts]

    async def _ask(self, gold: str, keys: dict[str, bytes], extract: str) -> dict[str, Score]:
        """By text, of which `keys` has the place in the cache."""
        scores = await self._pool.ask(gold, [*keys], extract)
        _ASKED.inc(len(scores))
        for key, score in zip(keys.values(), scores, strict=True):
            self._remember(key, score)
        return dict(zip(keys, scores, strict=True))

    def _remembered(self, key: bytes) -> Score | None:
        score = self._cache.get(key)
        if score is not None:
            _CACHED.inc()
            self._cache.move_to_end(key)
        return score

    def _remember(self, key: bytes, score: Score) -> None:
        if isinstance(score, Missing) and score.retryable:
            return
        self._cache[key] = score
        if len(self._cache) > MAX_CACHED:
            self._cache.popitem(last=False)


def _decided(gold: str, text: str, extract: str) -> Score | None:
    """What needs neither Math-Verify nor the cache."""
    if reason := refusal(text):
        _REFUSED.inc()
        return Missing(f"the answer is not verified: {reason}")
    plain = decide(gold, text, extract)
    if plain is not None:
        _PLAIN.inc()
    return plain


def _key(gold: str, text: str, extract: str) -> bytes:
    return blake2b(f"{extract}\0{gold}\0{text}".encode(errors="surrogatepass")).digest()[:16]
