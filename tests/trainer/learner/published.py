"""A published version proves itself."""

from pathlib import Path

import torch

from plaudit.schemas.policy import PolicyManifest


def assert_proven(directory: Path) -> None:
    """The published weights are whole: they compute the published probe."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32)
    _assert_computes_probe(model, directory)


def assert_proven_over(base: Path, adapter: Path) -> None:
    """PEFT puts the published adapter over the published base, and they compute its probe."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    _assert_computes_probe(PeftModel.from_pretrained(model, adapter), adapter)


def _assert_computes_probe(model: torch.nn.Module, directory: Path) -> None:
    probe = PolicyManifest.model_validate_json((directory / "manifest.json").read_bytes()).probe
    for sequence in probe.sequences:
        ids = torch.tensor([sequence.token_ids])
        with torch.no_grad():
            logprobs = model(input_ids=ids).logits[0, :-1].log_softmax(-1)
        found = logprobs.gather(-1, ids[0, 1:, None])[:, 0]
        torch.testing.assert_close(found, torch.tensor(sequence.logprobs), atol=1e-4, rtol=0)
