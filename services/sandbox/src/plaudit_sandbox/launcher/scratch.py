"""A working directory on a real disk, where there is no private one in memory to bound it.

The kernel then limits the size of each file, and nothing limits how many there are. So what is in
the directory is watched, and what the program writes to files that it has already unlinked.
"""

import os
import stat
from dataclasses import dataclass

from plaudit_sandbox.launcher import kernel

MAX_ENTRIES = 4096
"""As many as the private directory has room for."""
_BLOCK_BYTES = 512


@dataclass(frozen=True)
class Scratch:
    directory: str
    max_bytes: int

    def is_full(self, pids: list[int]) -> bool:
        """Whether the processes hold more than `max_bytes`, or too many files."""
        return _holds_more(self.directory, self.max_bytes) or (
            sum(map(_written_bytes, pids)) > 2 * self.max_bytes
        )

    def remove(self) -> None:
        """All of it, however deep, whatever its owner may not do there. Nothing runs any more."""
        top = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            _empty(top)
        finally:
            os.close(top)
        os.rmdir(self.directory)


def _holds_more(directory: str, max_bytes: int) -> bool:
    num_entries, num_bytes, waiting = 0, 0, [directory]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    num_entries += 1
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    num_bytes += entry.stat(follow_symlinks=False).st_blocks * _BLOCK_BYTES
                    if num_entries > MAX_ENTRIES or num_bytes > max_bytes:
                        return True
        except (FileNotFoundError, PermissionError):
            # The program has removed it meanwhile, or shut itself out.
            continue
        except OSError:
            # Deeper than a path is long.
            return True
    return False


def _written_bytes(pid: int) -> int:
    """To files that are not in memory, less what was removed before it got to the disk."""
    try:
        fields = dict(line.split(": ") for line in kernel.read_proc(f"{pid}/io").splitlines())
    except OSError:
        return 0
    return int(fields["write_bytes"]) - int(fields["cancelled_write_bytes"])


def _empty(top: int) -> None:
    """Directories of directories are moved to the top, so that no depth is too deep."""
    waiting = os.listdir(top)
    while waiting:
        name = waiting.pop()
        if not _is_directory(name, top):
            os.unlink(name, dir_fd=top)
            continue
        os.chmod(name, 0o700, dir_fd=top)
        inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=top)
        try:
            waiting += _lift_directories(inner, top)
        finally:
            os.close(inner)
        os.rmdir(name, dir_fd=top)


def _lift_directories(inner: int, top: int) -> list[str]:
    """Empty the directory: its files go, its directories get the returned names at the top."""
    lifted = []
    for name in os.listdir(inner):
        if not _is_directory(name, inner):
            os.unlink(name, dir_fd=inner)
            continue
        os.chmod(name, 0o700, dir_fd=inner)
        lifted.append(f".{os.urandom(8).hex()}")
        os.rename(name, lifted[-1], src_dir_fd=inner, dst_dir_fd=top)
    return lifted


def _is_directory(name: str, parent: int) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)
