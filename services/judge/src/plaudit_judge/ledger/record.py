"""How a stored verdict looks in Redis: JSON, compressed, of bounded size."""

import hashlib
import zlib
from collections.abc import Sequence

from pydantic import ValidationError

from plaudit.schemas.common import Message
from plaudit.schemas.judge_verdict import StoredVerdict
from plaudit_judge.chance import digest
from plaudit_judge.ledger.call import Call
from plaudit_judge.settings import JudgeSpec

_LEVEL = 1
"""Of zlib: a quarter of the time of the default, for a tenth more bytes."""
_MESSAGE_BYTES = 32
"""What a message takes besides its content."""
_MAX_JSON_BYTES = 2**20


def encode(call: Call, spec: JudgeSpec, max_bytes: int) -> bytes:
    """At most `max_bytes`, the texts cut to it."""
    whole = zlib.compress(_json(call, spec, max_bytes), _LEVEL)
    return whole if len(whole) <= max_bytes else zlib.compress(_json(call, spec, 0), _LEVEL)


def decode(record: bytes, verdict_id: str) -> StoredVerdict | None:
    """None: not what this version of the service writes."""
    try:
        text = zlib.decompressobj().decompress(record, _MAX_JSON_BYTES)
        return StoredVerdict.model_validate_json(text).model_copy(update={"id": verdict_id})
    except (zlib.error, ValidationError):
        return None


def _json(call: Call, spec: JudgeSpec, max_text_bytes: int) -> bytes:
    reply = call.reply
    said = end_of(reply.text, max_text_bytes // 2)
    sent = start_of(reply.sent, max_text_bytes - len(_utf8(said)))
    return (
        StoredVerdict(
            id="",
            judged_at=call.judged_at,
            run_id=call.origin.run_id,
            lane=call.origin.lane,
            caller=call.origin.caller,
            verb=call.origin.verb,
            judge=call.judge,
            member_of=call.member_of,
            kind=spec.kind,
            model=spec.model_name(),
            rubric=call.rubric if spec.reads_rubric else None,
            prompt_sha256=digest(*(part for m in call.prompt for part in (m.role, m.content))),
            answers_sha256=[_sha256(answer) for answer in call.answers],
            answers_num_chars=[len(answer) for answer in call.answers],
            reference_sha256=_sha256(call.reference) if call.reference is not None else None,
            seed=call.seed,
            messages=sent,
            reply=said,
            truncated=said != reply.text or sent != reply.sent,
            winner=call.winner,
            scores=call.scores,
            policy_version=reply.policy_version,
            latency_s=call.latency_s,
            calls=call.calls,
            prompt_tokens=reply.prompt_tokens,
            completion_tokens=reply.completion_tokens,
            cached_tokens=reply.cached_tokens,
            cache_write_tokens=reply.cache_write_tokens,
            cost_usd=None if reply.unpriced_calls else reply.cost_usd,
            cached=call.cached,
        )
        .model_dump_json(exclude_defaults=True)
        .encode()
    )


def end_of(text: str, max_bytes: int) -> str:
    """Where the verdict stands."""
    encoded = _utf8(text)
    if len(encoded) <= max_bytes:
        return text
    return encoded[len(encoded) - max_bytes :].decode(errors="ignore")


def start_of(messages: Sequence[Message], max_bytes: int) -> list[Message]:
    kept: list[Message] = []
    for message in messages:
        max_bytes -= _MESSAGE_BYTES
        if max_bytes <= 0:
            break
        content = _utf8(message.content)[:max_bytes].decode(errors="ignore")
        max_bytes -= len(_utf8(content))
        kept.append(Message(role=message.role, content=content))
    return kept


def _utf8(text: str) -> bytes:
    return text.encode(errors="replace")


def _sha256(text: str) -> str:
    return hashlib.sha256(_utf8(text)).hexdigest()
