"""Out of memory names the settings that help; other errors stay what they are."""

import pytest
import torch

from plaudit.errors import ConfigError
from plaudit_trainer.learner.memory import explaining_out_of_memory

KNOBS = ("learner.max_tokens_per_pass", "learner.gradient_checkpointing", "model.lora")


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), MemoryError()])
def test_the_settings_are_named(error):
    with pytest.raises(ConfigError, match="out of memory") as caught, explaining_out_of_memory():
        raise error
    assert all(knob in str(caught.value.fix) for knob in KNOBS)


def test_the_host_can_run_out_too():
    with pytest.raises(ConfigError, match="out of memory"), explaining_out_of_memory():
        torch.empty(2**60, dtype=torch.uint8)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no NVIDIA GPU")
def test_so_can_a_gpu():
    with pytest.raises(ConfigError, match="out of memory"), explaining_out_of_memory():
        torch.empty(2**50, dtype=torch.uint8, device="cuda")


def test_another_error_is_not_explained():
    with pytest.raises(RuntimeError, match="shape"), explaining_out_of_memory():
        raise RuntimeError("shape mismatch")
