"""The two environments agree, and the scripts that make the rollout one can be repeated."""

import importlib.util
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version as installed
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def extras(service: str, extra: str) -> dict[str, str]:
    document = tomllib.loads((ROOT / "services" / service / "pyproject.toml").read_text())
    found = document["project"]["optional-dependencies"][extra]
    parts = (re.match(r"([a-z0-9-]+)(.*)", line) for line in found)
    return {match[1]: match[2] for match in parts}


def script(name: str):
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("package", ["torch", "transformers"])
def test_trainer_and_rollout_want_the_same(package):
    assert extras("rollout", "vllm")[package] == extras("trainer", "train")[package]


@pytest.mark.parametrize("package", ["torch", "transformers", "safetensors"])
def test_trainer_and_reward_models_want_the_same(package):
    assert extras("reward", "model")[package] == extras("trainer", "train")[package]


def test_the_rollout_service_needs_no_vllm_to_be_imported():
    code = "import plaudit_rollout.cli, plaudit_rollout.worker, plaudit_rollout.app, sys; "
    code += "print({'torch', 'vllm', 'transformers'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_the_metadata_script_can_be_repeated_and_replaces_older_releases(tmp_path, monkeypatch):
    write = script("cpu_vllm_metadata").write_metadata
    write(tmp_path, "0.31.0")
    write(tmp_path, "0.32.0")
    write(tmp_path, "0.32.0")
    assert [path.name for path in tmp_path.iterdir()] == ["vllm-0.32.0+cpu.dist-info"]
    monkeypatch.syspath_prepend(str(tmp_path))
    assert installed("vllm") == "0.32.0+cpu"


def test_the_requirements_leave_out_what_would_bring_cuda(monkeypatch):
    module = script("vllm_cpu_requirements")
    lines = ["torchvision", "torch==2.13.0+cpu", 'torchaudio; python_version > "3"', "numpy>=1"]
    lines.append('pywin32; sys_platform == "win32"')
    monkeypatch.setattr(module, "requires", lambda name: lines)
    assert module.wanted("vllm-cpu") == ["torch==2.13.0+cpu", "numpy>=1"]
