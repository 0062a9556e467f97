"""Prints the exact versions of everything that the named packages need in this environment.

    .venv/bin/python scripts/constraints.py 'plaudit-judge[claude]' ... > scripts/constraints.txt

The images are built from these, so that they hold what the tests ran with.
"""

import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution

from pip._vendor.packaging.requirements import Requirement
from pip._vendor.packaging.utils import canonicalize_name


def needed_by(requirement: Requirement) -> Iterator[Requirement]:
    """What holds on this machine, for the extras that are asked for."""
    for text in distribution(requirement.name).requires or []:
        found = Requirement(text)
        extras = requirement.extras or {""}
        if found.marker is None or any(found.marker.evaluate({"extra": e}) for e in extras | {""}):
            yield found


def closure(roots: list[str]) -> dict[str, str]:
    """Name to version, without our own packages."""
    versions: dict[str, str] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = [Requirement(root) for root in roots]
    while waiting:
        one = waiting.pop()
        key = (canonicalize_name(one.name), frozenset(one.extras))
        if key in seen:
            continue
        seen.add(key)
        try:
            # A build for one accelerator (2.13.0+cpu) is the release that other builds are, too.
            versions[key[0]] = distribution(one.name).version.split("+")[0]
        except PackageNotFoundError:
            continue  # why: left out on purpose, as scripts/vllm_cpu_requirements.py does
        waiting += needed_by(one)
    return {name: text for name, text in versions.items() if not name.startswith("plaudit")}


if __name__ == "__main__":
    for name, text in sorted(closure(sys.argv[1:]).items()):
        print(f"{name}=={text}")
