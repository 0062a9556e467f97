"""Reasoning before the answer, as Qwen3 and DeepSeek-R1 write it."""

_END = "</think>"


def strip_think(text: str) -> str:
    """What follows the last `</think>`; a text without one, e.g. cut off before, stays as it is."""
    return text.rpartition(_END)[2].lstrip() if _END in text else text
