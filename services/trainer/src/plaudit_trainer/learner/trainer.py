"""The seam in TRL: a GRPOTrainer whose completions and advantages come from the ledger.

Tensor shapes: B completions of this rank, P prompt tokens, C completion tokens.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import torch
from accelerate.utils import set_seed
from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerBase, Trainer
from trl.trainer.grpo_config import GRPOConfig

from plaudit.schemas.recipe import ImportanceSampling
from plaudit_trainer.learner.batch import Row, Tensors, pad_rows
from plaudit_trainer.learner.bucketed import BucketedTrainer
from plaudit_trainer.learner.importance import EngineGap, importance_weights, log_ratios

if TYPE_CHECKING:
    from plaudit_trainer.learner.hooks import Hooks

NextRows = Callable[[int], list[Row]]


class LearnerTrainer(BucketedTrainer):
    """`next_rows(num_steps_done)` gives this rank's completions of the next step.

    A learner step is one batch of groups; it has `num_iterations` optimizer steps.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        args: GRPOConfig,
        tokenizer: PreTrainedTokenizerBase,
        next_rows: NextRows,
        importance: ImportanceSampling,
        *,
        groups_per_step: int,
        max_tokens_per_pass: int | None = None,
    ) -> None:
        # One row per group makes an epoch exactly one step, so that resuming skips no data.
        super().__init__(
            max_tokens_per_pass=max_tokens_per_pass,
            model=model,
            reward_funcs=_scored_elsewhere,
            args=args,
            processing_class=tokenizer,
            train_dataset=Dataset.from_dict({"prompt": [""] * groups_per_step}),
        )
        # Set after __init__, which would connect to a vLLM server of TRL's own.
        self.use_vllm = importance.level != "none"
        self.vllm_importance_sampling_correction = self.use_vllm
        self.hooks: Hooks | None = None
        self.engine_gap = EngineGap(self.accelerator)
        self._next_rows = next_rows
        self._importance = importance
        self._unweighted: dict[str, Any] | None = None
        self._checkpoint_parent = args.output_dir

    @property
    def num_steps_done(self) -> int:
        return int(self.state.global_step) // int(self.num_iterations)

    @property
    def _policy(self) -> torch.nn.Module:
        return cast(torch.nn.Module, self.model)

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        """`inputs` are placeholders. Keys and shapes are those that `_compute_loss` reads."""
        rows = self._next_rows(self.num_steps_done)
        self._seed_step()
        with self.clock.measure("credit"):
            tensors = pad_rows(rows, self._tokenizer.pad_token_id)
        with self.clock.measure("logprobs"), torch.no_grad():
            return self._with_logprobs(tensors)

    def _seed_step(self) -> None:
        """Randomness depends on seed and step only: a resumed run repeats a step exactly."""
        rank, num_ranks = self.accelerator.process_index, self.accelerator.num_processes
        set_seed(self.args.seed + self.num_steps_done * num_ranks + rank)

    def _with_logprobs(self, tensors: Tensors) -> dict[str, Any]:
        output = {
            "prompt_ids": tensors.prompt_ids_BP,
            "prompt_mask": tensors.prompt_mask_BP,
            "completion_ids": tensors.completion_ids_BC,
            "completion_mask": tensors.completion_mask_BC,
            "advantages": tensors.advantages_B,
            "sampling_per_token_logps": tensors.logprobs_BC,
            "is_on_policy": tensors.on_policy_B,
        }
        output = {name: tensor.to(self.accelerator.device) for name, tensor in output.items()}
        num_tokens = output["completion_mask"].sum()
        output["num_items_in_batch"] = self.accelerator.gather(num_tokens).sum()
        if self.num_iterations > 1:
            output["old_per_token_logps"] = self._logprobs(self._policy, output)
            self._weigh(output, output["old_per_token_logps"])
        if self.ref_model is not None:
            output["ref_per_token_logps"] = self._logprobs(self.ref_model, output)
        return output

    def _weigh(self, batch: dict[str, Any], learner_BC: torch.Tensor) -> None:
        """Add the off-policy correction, where the recipe wants one."""
        if not self.use_vllm:
            return
        engine_BC, mask_BC = batch["sampling_per_token_logps"], batch["completion_mask"]
        weights = importance_weights(learner_BC, engine_BC, mask_BC, self._importance)
        batch["importance_sampling_ratio"] = weights
        gap_BC = log_ratios(learner_BC, engine_BC, mask_BC)
        self.engine_gap.add(gap_BC, weights, mask_BC, batch["is_on_policy"], self._importance.cap)

    def _compute_loss(self, model: torch.nn.Module, inputs: dict[str, Any]) -> torch.Tensor:
        self._unweighted = None if "importance_sampling_ratio" in inputs else inputs
        loss = super()._compute_loss(model, inputs)  # type: ignore[no-untyped-call]
        return cast(torch.Tensor, loss)

    def _get_per_token_logps_and_entropies(
        self, *args: Any, **options: Any
    ) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]:
        """With one iteration the loss's own forward pass is at the weights that the correction
        needs, so it is computed from that one; TRL would run a second pass for it."""
        found = super()._get_per_token_logps_and_entropies(*args, **options)
        if self._unweighted is not None:
            batch, self._unweighted = self._unweighted, None
            self._weigh(batch, found[0].detach())
        return found

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Transformers calls this once per optimizer step, before it saves a checkpoint."""
        figures = {name: _mean(values) for name, values in self._metrics["train"].items()}
        self._metrics["train"].clear()
        if "loss" in logs and self.hooks is not None:
            self.hooks.optimizer_step_done({**logs, **figures})

    def save_into(self, directory: str) -> str:
        """Write `directory`/checkpoint-N, all ranks together; the path of what was written."""
        self._checkpoint_parent = directory
        # TRL's own override adds a model card, for which it may ask the hub.
        Trainer._save_checkpoint(self, self.model_wrapped, None)
        return f"{directory}/checkpoint-{self.state.global_step}"

    def _get_output_dir(self, trial: Any) -> str:
        return str(self._checkpoint_parent)


def _scored_elsewhere(*args: Any, **kwargs: Any) -> list[float | None]:
    """TRL insists on a reward function; the services have scored every group already."""
    raise NotImplementedError


def _mean(values: list[float]) -> float | None:
    known = [value for value in values if value == value]
    return sum(known) / len(known) if known else None
