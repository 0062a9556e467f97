"""Prints what packages of this repository need from outside of it, one requirement a line.

    python3 scripts/requirements.py shared 'services/judge[claude]'

It reads their pyproject.toml only: an image's layer of dependencies does not depend on code.
"""

import sys
import tomllib
from pathlib import Path

OWN = "plaudit"


def requirements(argument: str) -> list[str]:
    """Of a directory, with its extras in brackets."""
    directory, _, extras = argument.rstrip("]").partition("[")
    project = tomllib.loads((Path(directory) / "pyproject.toml").read_text("utf-8"))["project"]
    found = list(project["dependencies"])
    for extra in filter(None, extras.split(",")):
        found += project["optional-dependencies"][extra]
    return [text for text in found if text != OWN]


if __name__ == "__main__":
    print("\n".join(dict.fromkeys(text for one in sys.argv[1:] for text in requirements(one))))
