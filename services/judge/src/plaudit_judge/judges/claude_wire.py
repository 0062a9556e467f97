"""The Messages API's wire format: what is sent for an ask, and what a message says."""

from typing import TYPE_CHECKING, Any

from plaudit_judge.judges.base import Ask, Reply
from plaudit_judge.judges.chat import MAX_REPLY_CHARS

if TYPE_CHECKING:
    from anthropic.types import Message


def body_of(ask: Ask, model: str, structured: bool) -> dict[str, Any]:
    """The API takes neither a temperature nor a seed any more; both are left to the model."""
    system = "\n\n".join(m.content for m in ask.messages if m.role == "system")
    body: dict[str, Any] = {
        "model": model,
        "max_tokens": ask.max_tokens,
        "messages": [
            {"role": m.role, "content": m.content} for m in ask.messages if m.role != "system"
        ],
    }
    if system:
        block: dict[str, Any] = {"type": "text", "text": system}
        if ask.system_is_constant:
            block["cache_control"] = {"type": "ephemeral"}
        body["system"] = [block]
    if structured:
        body["output_config"] = {"format": {"type": "json_schema", "schema": ask.schema}}
    return body


def reply_of(message: "Message", structured: bool) -> Reply:
    """A refusal has no verdict, whatever text came before it."""
    text = "".join(block.text for block in message.content if block.type == "text")
    usage = message.usage
    read, written = usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0
    return Reply(
        text="" if message.stop_reason == "refusal" else text[-MAX_REPLY_CHARS:],
        prompt_tokens=usage.input_tokens + read + written,
        completion_tokens=usage.output_tokens,
        cached_tokens=read,
        cache_write_tokens=written,
        structured=structured,
    )
