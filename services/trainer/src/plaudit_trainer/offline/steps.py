"""The seam in TRL's offline trainers, to be put before one: figures, skipped steps, checkpoints."""

import math
from collections.abc import Callable
from typing import Any, cast

import torch
from transformers import Trainer

from plaudit_trainer.learner.bad_steps import deepspeed_skipped
from plaudit_trainer.learner.pass_metrics import drain
from plaudit_trainer.learner.sharded_optimizer import start_optimizer
from plaudit_trainer.learner.zero3 import forget_traces

StepDone = Callable[[dict[str, Any]], None]


class StopRequested(Exception):
    """The process is to stop, at a place where all processes can."""


class StepTrainer(Trainer):
    """`class SftTrainer(StepTrainer, SFTTrainer)`. Rows are tokenised before it gets them.

    A step whose loss or gradient is no number leaves weights and optimizer as they were.
    """

    _metrics: Any
    """TRL's, since the last step."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        config = kwargs["args"]
        # A process that sees several GPUs would split every batch over them (DataParallel).
        if config.n_gpu > 1:
            config._n_gpu = 1
        super().__init__(*args, **kwargs)
        forget_traces(self)
        self.step_done: StepDone = lambda figures: None
        self.came: Callable[[], bool] = lambda: False
        """Whether this process has been told to stop."""
        self.is_skipped = False
        self._num_tokens = 0
        self._has_bad_loss = False
        self._checkpoint_parent = self.args.output_dir

    @property
    def pad_token_id(self) -> int:
        return int(cast(Any, self.processing_class).pad_token_id)

    def _prepare_dataset(self, dataset: Any, *args: Any, **kwargs: Any) -> Any:
        return dataset

    def training_step(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        self._num_tokens += num_tokens(inputs)
        loss = super().training_step(model, inputs, *args, **kwargs)
        if bool(torch.isfinite(loss)):
            return loss
        self._has_bad_loss = True
        # Transformers sums losses up: one that is no number would stay in the sum.
        return torch.zeros_like(loss)

    def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> Any:
        """Transformers calls it between the backward passes and the optimizer's step, which
        DeepSpeed has taken by then."""
        norm = super()._get_grad_norm(model, grad_norm=grad_norm)  # type: ignore[no-untyped-call]
        if self.is_deepspeed_enabled:
            self.is_skipped = deepspeed_skipped(self.model_wrapped, norm)
            return norm
        is_bad = self._has_bad_loss or not math.isfinite(float(norm))
        self._has_bad_loss = False
        self.is_skipped = self.sum_over_processes(int(is_bad)) > 0
        if self.is_skipped:
            # The optimizer passes over parameters without a gradient, with their moments.
            for parameter in model.parameters():
                parameter.grad = None
        return norm

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Transformers calls this once per optimizer step."""
        figures = drain(self._metrics["train"])
        figures.pop("num_tokens", None)  # counted since the process started
        if "loss" in logs:
            counted = self.sum_over_processes(self._num_tokens)
            self._num_tokens = 0
            loss = math.nan if self.is_skipped else logs["loss"]
            self.step_done({**logs, "loss": loss, "num_tokens": counted, "trl": figures})

    def raise_if_stopped(self) -> None:
        """All processes together: one that was told to stop stops all of them."""
        if self.sum_over_processes(int(self.came())):
            raise StopRequested

    def sum_over_processes(self, value: int) -> int:
        if self.accelerator.num_processes == 1:
            return value
        counted = torch.tensor(value, device=self.accelerator.device)
        return int(self.accelerator.reduce(counted, "sum"))

    def save_into(self, directory: str) -> str:
        """Write `directory`/checkpoint-N, all processes together; the path of what was written."""
        self._checkpoint_parent = directory
        start_optimizer(self)
        # TRL's own override adds a model card, for which it may ask the hub.
        Trainer._save_checkpoint(self, self.model_wrapped, None)
        return f"{directory}/checkpoint-{self.state.global_step}"

    def _get_output_dir(self, trial: Any) -> str:
        return str(self._checkpoint_parent)


def num_tokens(inputs: dict[str, Any]) -> int:
    """Without padding. A packed batch has no mask, and no padding either."""
    mask = inputs.get("attention_mask")
    return int(inputs["input_ids"].numel() if mask is None else mask.sum())
