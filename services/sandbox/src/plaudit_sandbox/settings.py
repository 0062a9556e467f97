"""Settings of the sandbox service, from PLAUDIT_SANDBOX_* or plaudit.toml [sandbox]."""

import os

from pydantic import Field

from plaudit.config import ServiceSettings
from plaudit_sandbox.protections import BASIC


class SandboxSettings(ServiceSettings):
    port: int = Field(default=8104, ge=0, le=65535)
    max_concurrency: int = Field(default_factory=lambda: 2 * (os.cpu_count() or 1), ge=1, le=1024)
    """Programs that run at the same time."""
    max_waiting: int = Field(default_factory=lambda: 32 * (os.cpu_count() or 1), ge=0)
    """Requests that may wait for a free place; one more is answered 429. A short line: what waits
    for longer than a few programs take is better sent to another replica."""
    min_isolation: str = BASIC
    """`strict`, `basic`, or names of protections separated by commas; the service refuses to start
    when one of them cannot be had here. `none` asks for nothing: only for programs that you
    trust."""
    cgroup_directory: str | None = None
    """Directory of cgroup version 2, delegated to this service and empty, in which each run gets a
    cgroup; by default the service's own one, where it may."""
    run_uid: int = Field(default=65534, ge=1)
    """The user that programs run as when the service itself is root."""
    max_processes: int = Field(default=64, ge=1)
    """Processes and threads of one program."""
    disk_bytes: int = Field(default=64 * 2**20, ge=2**16)
    """Space of a program's working directory (and its largest file)."""
    max_builds_bytes: int = Field(default=64 * 2**20, ge=0)
    """Memory for what compilers have made; a program that is there is not compiled again."""
    max_files: int = Field(default=64, ge=0)
    """Files that a request may put there, and files that it may ask for."""
    max_cases: int = Field(default=256, ge=1)
    """Test cases of one request."""
