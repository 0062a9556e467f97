"""Which files a worker runs: those below a directory that its operator allows."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from plaudit.errors import ConfigError
from plaudit.user_code import UserReward, read_file
from plaudit_reward.reward import Missing
from plaudit_reward.user_code.messages import Program


async def read_program(reward: UserReward, dirs: Sequence[Path]) -> Program | Missing:
    """The file as it is now, or why this worker does not run it."""
    return await asyncio.to_thread(_read, reward.path, dirs)


def _read(path: Path, dirs: Sequence[Path]) -> Program | Missing:
    try:
        # Before anything else: a link below an allowed directory may lead out of it.
        real = path.resolve(strict=True)
        if not any(real.is_relative_to(one.resolve()) for one in dirs):
            return _refusal(path, dirs)
        if not real.is_file():
            return Missing(f"{path} is not a file")
        return Program(place=str(real), source=read_file(real).decode())
    except (OSError, RuntimeError) as error:
        if not any(path.is_relative_to(one) for one in dirs):
            return _refusal(path, dirs)  # what is there is nobody's business
        return Missing(f"{path} is not there: {error}")
    except ConfigError as error:
        return Missing(str(error))
    except UnicodeDecodeError:
        return Missing(f"{path} is not UTF-8 text")


def _refusal(path: Path, dirs: Sequence[Path]) -> Missing:
    allowed = ", ".join(map(str, dirs)) or "none"
    return Missing(
        f"this worker does not run {path}: it is not below one of its user_code_dirs ({allowed}). "
        "Fix: add the directory to PLAUDIT_REWARD_USER_CODE_DIRS, or let `plaudit train --up` "
        "start the services, which allows the recipe's own."
    )
