"""Names of protections, the tiers made of them, and the refusal to start with less."""

from collections.abc import Iterable

from plaudit.errors import ConfigError

NONE = "none"
BASIC = "basic"
STRICT = "strict"

PROTECTIONS = {
    "process_group": "the program and all it starts die together",
    "rlimits": "CPU time, memory, file size, open files and processes are limited",
    "empty_environment": "no environment variables",
    "no_new_privs": "setuid programs give no privileges",
    "unprivileged": "the program is not root, and has no capabilities",
    "no_network": "no socket can reach anything (namespace or system-call filter)",
    "own_uid": "the program's user is not the service's",
    "network_namespace": "an empty network of its own",
    "private_root": "a file system in which there is nothing but what programs need, read-only",
    "pid_namespace": "it sees and signals only its own processes; none survives it",
    "private_tmp": "a directory of its own in memory, limited in size, gone after the run",
    "cgroup": "the kernel counts and limits all memory and processes of a run together",
    "landlock": "only system libraries, the interpreter and its directory can be opened",
    "seccomp": "sockets, tracing, mounts and new namespaces are refused",
}
"""What each name means, as published."""

_BASIC = (
    "process_group", "rlimits", "empty_environment", "no_new_privs", "unprivileged", "no_network",
    "landlock", "seccomp",
)  # fmt: skip
TIERS = {
    NONE: (),
    BASIC: _BASIC,
    STRICT: (*_BASIC, "private_root", "pid_namespace", "private_tmp"),
}
"""What each needs. Below `basic` a program could read what the service can: that is `none`."""

_FIXES = {
    "unprivileged": "run the service as an ordinary user, or as root that may change its user",
    "no_network": "allow user namespaces or the seccomp system call to this process",
    "own_uid": "run the service as root in its container with CAP_SETUID and CAP_SETGID",
    "network_namespace": "allow user namespaces (sysctl user.max_user_namespaces, seccomp profile)",
    "pid_namespace": "allow user namespaces (sysctl user.max_user_namespaces, seccomp profile)",
    "private_root": "allow user namespaces and mounts inside them (seccomp profile, AppArmor), or "
    "run the service as root with CAP_SYS_ADMIN, on Linux 5.12 or newer",
    "private_tmp": "allow user namespaces and mounts inside them (seccomp profile, AppArmor)",
    "cgroup": "delegate a cgroup of version 2 with the memory and pids controllers to the service "
    "(systemd Delegate=yes, or cgroup_directory)",
    "landlock": "use Linux 5.13 or newer with Landlock enabled (lsm=...,landlock)",
    "seccomp": "use a kernel with CONFIG_SECCOMP_FILTER on x86-64 or arm64",
}


def tier(active: Iterable[str]) -> str:
    """The highest tier that is complete."""
    have = set(active)
    return next(name for name in (STRICT, BASIC, NONE) if have.issuperset(TIERS[name]))


def required(min_isolation: str) -> tuple[str, ...]:
    """The protections that the setting asks for. Raises ConfigError for an unknown name."""
    if min_isolation in TIERS:
        return TIERS[min_isolation]
    names = tuple(name.strip() for name in min_isolation.split(",") if name.strip())
    for name in names:
        if name not in PROTECTIONS:
            raise ConfigError(
                f"min_isolation = {min_isolation!r}: {name!r} is no protection.",
                fix=f"use {BASIC}, {STRICT}, {NONE}, or names from {', '.join(PROTECTIONS)}.",
            )
    if not names:
        raise ConfigError(
            "min_isolation is empty: programs would run unprotected.",
            fix=f"use {BASIC} or {STRICT}, or name the protections that you insist on.",
        )
    return names


def check_minimum(min_isolation: str, active: Iterable[str]) -> None:
    """Raises ConfigError naming every protection that is asked for and missing, with its remedy."""
    have = set(active)
    missing = [name for name in required(min_isolation) if name not in have]
    if missing:
        remedies = [f"{name}: {_FIXES[name]}" for name in missing if name in _FIXES]
        raise ConfigError(
            f"min_isolation = {min_isolation!r} needs {', '.join(missing)}, "
            "which this machine does not give to this process.",
            fix="; ".join([*remedies, "or lower min_isolation if the programs are trusted."]),
        )
