"""The directory of the compose file as users have it, with ports and stand-ins of its own."""

import shutil
from pathlib import Path

from .command import ROOT, run
from .endpoint import ANTHROPIC_KEY, NVIDIA_KEY, PORT

STAND_INS = ("redis", "prometheus")
"""Images made of Debian's packages, where the official ones cannot be pulled."""
_FILES = ("compose.yaml", "plaudit.toml", "init.sh", ".env.example")
_MONEY = """
[judge.budgets]
claude = 10

[judge.prices."claude-opus-4-5"]
input_usd_per_mtok = 5
output_usd_per_mtok = 25
"""
# The demo has 160: on an idle machine it would end before all was done to it that is to be done.
_STEPS = 400


def make_directory(directory: Path, tag: str, ports: dict[str, int]) -> None:
    source, here = ROOT / "deploy" / "compose", Path(__file__).parent
    for file in (*(source / name for name in _FILES), *here.glob("endpoint.*")):
        shutil.copy(file, directory)
    shutil.copytree(source / "prometheus", directory / "prometheus")
    run(directory / "init.sh")
    settings = {f"{name.upper()}_PORT": str(port) for name, port in ports.items()}
    settings |= {f"{name.upper()}_IMAGE": f"plaudit-{name}:test" for name in STAND_INS}
    settings |= {"COMPOSE_PROJECT_NAME": "plaudit-test", "TAG": tag}
    settings |= {"TRAIN_OPTIONS": f"--set budget.steps={_STEPS}"}
    with (directory / ".env").open("a") as env_file:
        env_file.writelines(f"{key}={value}\n" for key, value in settings.items())
    _aim_judges(directory)


def _aim_judges(directory: Path) -> None:
    """At the endpoint that stands for the paid APIs, with its keys."""
    file = directory / "plaudit.toml"
    text = file.read_text()
    for kind, path in (("claude", ""), ("nemotron", "/v1")):
        line = f'kind = "{kind}"\n'
        assert line in text
        text = text.replace(line, f'{line}base_url = "http://endpoint:{PORT}{path}"\n')
    file.write_text(text + _MONEY)
    for name, key in (("anthropic", ANTHROPIC_KEY), ("nvidia", NVIDIA_KEY)):
        (directory / "secrets" / f"{name}_api_key").write_text(key)
