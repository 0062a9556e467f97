"""What a discriminator reads: GRAIL's lines, or those of the settings."""

from collections.abc import Mapping
from string import Formatter

FIELDS = ("viewer", "state", "options", "action")
GRAIL_TEXT = "VIEWER: {viewer}\nSTATE: {state}\nSLATE: {options}\nACTION_NAME: {action}"


def checked_template(template: str) -> str:
    """Names alone: `{state.x}` and `{state:9999}` reach further than a text should.

    Raises ValueError.
    """
    for _, name, form, conversion in Formatter().parse(template):
        if name is not None and (name not in FIELDS or form or conversion):
            names = ", ".join(f"{{{one}}}" for one in FIELDS)
            raise ValueError(f"{{{name}}}: use {names}, and {{{{ for a brace")
    if "{action}" not in template.rpartition("\n")[2]:
        raise ValueError("the last line has no {action}: a text that is cut loses its beginning")
    return template


def rendered(template: str, values: Mapping[str, str]) -> str:
    """A line with fields, all of them empty, is left out; that of the action never is."""
    lines = template.split("\n")
    kept = [line for line in lines[:-1] if _says_something(line, values)]
    return "\n".join(line.format_map(values) for line in [*kept, lines[-1]])


def _says_something(line: str, values: Mapping[str, str]) -> bool:
    names = [name for _, name, _, _ in Formatter().parse(line) if name]
    return not names or any(values[name].strip() for name in names)
