"""jinja2 templates: Plaudit's own by name, and the user's."""

from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import BaseLoader, Environment, FileSystemLoader, StrictUndefined, Template
from jinja2.exceptions import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from plaudit.data_names import TEMPLATE_SUFFIX
from plaudit.errors import ConfigError
from plaudit_trainer.data.record import Place, names_in

MAX_PROMPT_CHARS = 2**20
_FOLDER = Path(str(resources.files("plaudit_trainer.data") / "templates"))


def shipped_names(folder: str) -> list[str]:
    """Of Plaudit's own in `system` or `prompt`."""
    return sorted(path.stem for path in (_FOLDER / folder).glob(f"*{TEMPLATE_SUFFIX}"))


@cache
def shipped(name: str) -> Template:
    """`name`: FOLDER/NAME."""
    return _environment(FileSystemLoader(_FOLDER)).get_template(name + TEMPLATE_SUFFIX)


def compiled(setting: str, source: str) -> Template:
    """Of a user's text. Raises ConfigError naming `setting`."""
    try:
        return _environment(None).from_string(source)
    except TemplateError as error:
        raise ConfigError(f"{setting}: not a jinja2 template ({error}).", fix="mend it") from error


def read_file(setting: str, name: str) -> str:
    try:
        return Path(name).read_text(encoding="utf-8").removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{setting} = {name!r} cannot be read: {error}.", fix="give a template in UTF-8"
        ) from error


def render(template: Template, setting: str, place: Place, values: Mapping[str, Any]) -> str:
    """Raises ConfigError where the row has not what the template asks for."""
    try:
        text = template.render(values)
    # why: whatever the expressions of a user's template raise is the template's fault.
    except Exception as error:
        raise ConfigError(
            f"{place}: {setting}: {type(error).__name__}: {error}; the row has {names_in(values)}.",
            fix="change the template, or the columns",
        ) from error
    if len(text) > MAX_PROMPT_CHARS:
        raise ConfigError(
            f"{place}: {setting}: {len(text)} characters, of at most {MAX_PROMPT_CHARS}.",
            fix="shorten the template",
        )
    return text


def render_shipped(name: str, place: Place, values: Mapping[str, Any]) -> str:
    return render(shipped(name), f"the template {name}", place, values).strip()


def _environment(loader: BaseLoader | None) -> Environment:
    """Sandboxed: a template comes with a recipe, which may be somebody else's."""
    return ImmutableSandboxedEnvironment(
        loader=loader,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
        autoescape=False,
    )
