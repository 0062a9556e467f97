"""Rewards that a user wrote, by name: `/home/me/my_rewards.py:brevity`."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from plaudit.errors import ConfigError

SUFFIX = ".py"
MAX_NAME_CHARS = 1024
MAX_FILE_BYTES = 2**20
GIVEN = ("prompt", "reference", "num_tokens", "token_ids", "finish_reasons")
"""What a plain function is given besides the texts, where it has a parameter of that name."""


@dataclass(frozen=True)
class UserReward:
    """A function of a Python file. Knowing its name runs nothing."""

    path: Path
    function: str

    @property
    def name(self) -> str:
        return f"{self.path}:{self.function}"

    @classmethod
    def of(cls, name: str) -> Self | None:
        """None where `name` does not name a function of a file."""
        path, _, function = name.rpartition(":")
        if not path.endswith(SUFFIX) or not function.isidentifier() or "\0" in path:
            return None
        return cls(Path(path), function) if len(name) <= MAX_NAME_CHARS else None


def short_names(names: Iterable[str]) -> dict[str, str]:
    """Every name as people read it: that of a file's function without directories, if that tells
    it apart from the others."""
    all_names = list(names)
    short = {name: _short(name) for name in all_names}
    count = Counter(short.values())
    return {name: short[name] if count[short[name]] == 1 else name for name in all_names}


def _short(name: str) -> str:
    user = UserReward.of(name)
    return name if user is None else f"{user.path.name}:{user.function}"


def read_file(path: Path) -> bytes:
    """The file's content, of which there may be MAX_FILE_BYTES. Raises ConfigError."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from error
    if len(content) > MAX_FILE_BYTES:
        raise ConfigError(f"{path} has more than {MAX_FILE_BYTES} bytes.")
    return content
