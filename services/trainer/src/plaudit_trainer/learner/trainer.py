"""The seam in TRL: a GRPOTrainer whose completions and advantages come from the ledger.

Tensor shapes: B completions of this rank, P prompt tokens, C completion tokens.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from accelerate.utils import set_seed
from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerBase, Trainer
from trl.trainer.grpo_config import GRPOConfig
from trl.trainer.utils import use_adapter

from plaudit.schemas.recipe import CriticRecipe, MethodRecipe
from plaudit_trainer.learner.bad_steps import BadSteps
from plaudit_trainer.learner.batch import Row, Tensors, pad_rows
from plaudit_trainer.learner.critic.critic import Critic
from plaudit_trainer.learner.critic.model import ValueModel
from plaudit_trainer.learner.importance import EngineGap, importance_weights, log_ratios
from plaudit_trainer.learner.method import Method
from plaudit_trainer.learner.pass_metrics import drain
from plaudit_trainer.learner.sharded_optimizer import start_optimizer
from plaudit_trainer.learner.skipping import SkippingTrainer

if TYPE_CHECKING:
    from plaudit_trainer.learner.hooks import Hooks

NextRows = Callable[[int], list[Row]]
METHOD_STATE = "method.pt"
"""In a checkpoint: the critic, the KL's coefficient, the rewards' moments."""


class LearnerTrainer(SkippingTrainer):
    """`next_rows(num_steps_done)` gives this rank's completions of the next step.

    A learner step is one batch of groups; it has `num_iterations` optimizer steps.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        args: GRPOConfig,
        tokenizer: PreTrainedTokenizerBase,
        next_rows: NextRows,
        method: MethodRecipe,
        *,
        groups_per_step: int,
        max_tokens_per_pass: int | None = None,
        value_model: ValueModel | None = None,
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
        # Set after __init__, which would connect to a vLLM server of TRL's own, and which makes a
        # reference model for no other reason than a beta.
        self.use_vllm = method.importance_sampling.level != "none" and method.proximal == "learner"
        self.vllm_importance_sampling_correction = self.use_vllm
        self.beta = method.beta
        self.has_sequence_loss = method.loss_type == "sequence"
        self.hooks: Hooks | None = None
        self.engine_gap = EngineGap(self.accelerator)
        self.bad_steps = BadSteps(method.max_skipped_steps)
        self.method = Method(method, self._gather, self._critic(value_model, method), self.clock)
        self._recipe = method
        self._next_rows = next_rows
        self._unweighted: dict[str, Any] | None = None
        self._checkpoint_parent = args.output_dir

    def _critic(self, model: ValueModel | None, method: MethodRecipe) -> Critic | None:
        if model is None:
            return None
        return Critic(
            model,
            method.critic or CriticRecipe(),
            self.accelerator,
            num_iterations=method.num_iterations,
            tokens_per_pass=self._tokens_per_pass,
        )

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
        tensors = pad_rows(rows, self._tokenizer.pad_token_id)
        batch = self._on_device(tensors)
        with self.clock.measure("logprobs"), torch.no_grad():
            learner_BC = self._add_logprobs(batch)
        reference_BC = batch.get("ref_per_token_logps")
        batch["advantages"] = self.method.advantages(tensors, batch, learner_BC, reference_BC)
        return batch

    def _seed_step(self) -> None:
        """Randomness depends on seed and step only: a resumed run repeats a step exactly."""
        rank, num_ranks = self.accelerator.process_index, self.accelerator.num_processes
        set_seed(self.args.seed + self.num_steps_done * num_ranks + rank)

    def _on_device(self, tensors: Tensors) -> dict[str, Any]:
        batch = {
            "prompt_ids": tensors.prompt_ids_BP,
            "prompt_mask": tensors.prompt_mask_BP,
            "completion_ids": tensors.completion_ids_BC,
            "completion_mask": tensors.completion_mask_BC,
            "sampling_per_token_logps": tensors.logprobs_BC,
            "is_on_policy": tensors.on_policy_B,
        }
        batch = {name: tensor.to(self.accelerator.device) for name, tensor in batch.items()}
        batch["num_items_in_batch"] = self._gather(batch["completion_mask"].sum()).sum()
        return batch

    def _add_logprobs(self, batch: dict[str, Any]) -> torch.Tensor | None:
        """The learner's are returned; None where the loss's own forward pass gives them."""
        has_kl = self._recipe.kl is not None
        learner_BC = None
        if self.num_iterations > 1 or has_kl:
            learner_BC = batch["old_per_token_logps"] = self._logprobs(self._policy, batch)
            self._weigh(batch, learner_BC)
        if self.beta or has_kl:
            batch["ref_per_token_logps"] = self._reference_logprobs(batch)
        return learner_BC

    def _reference_logprobs(self, batch: dict[str, Any]) -> torch.Tensor:
        """Of the policy as it was before the run; beneath an adapter it still is."""
        if self.ref_model is not None:
            return self._logprobs(self.ref_model, batch)
        with use_adapter(self.accelerator.unwrap_model(self.model), adapter_name=None):
            return self._logprobs(self._policy, batch)

    def _weigh(self, batch: dict[str, Any], learner_BC: torch.Tensor) -> None:
        """Say what the engine's log-probabilities are to the loss: where the clipped ratio starts,
        or what the off-policy correction, where the recipe wants one, weighs by."""
        engine_BC, mask_BC = batch["sampling_per_token_logps"], batch["completion_mask"]
        options = self._recipe.importance_sampling
        if self._recipe.proximal == "engine":
            batch["old_per_token_logps"] = learner_BC.where(engine_BC.isnan(), engine_BC)
            weights = torch.ones_like(learner_BC)
        elif self.use_vllm:
            weights = importance_weights(learner_BC, engine_BC, mask_BC, options)
            batch["importance_sampling_ratio"] = weights
        else:
            return
        gap_BC = log_ratios(learner_BC, engine_BC, mask_BC)
        self.engine_gap.add(gap_BC, weights, mask_BC, batch["is_on_policy"], options.cap)

    def _compute_loss(self, model: torch.nn.Module, inputs: dict[str, Any]) -> torch.Tensor:
        self._unweighted = None if "old_per_token_logps" in inputs else inputs
        loss = super()._compute_loss(model, inputs)
        # While the critic warms up, the policy's gradient is 0: all strategies can do that.
        return loss * 0.0 if self._is_warming_up else loss

    @property
    def _is_warming_up(self) -> bool:
        critic = self._recipe.critic
        return critic is not None and self.num_steps_done < critic.warmup_steps

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
        figures = drain(self._metrics["train"])
        if "loss" not in logs or self.hooks is None:
            return
        loss = math.nan if self.is_bad_step else logs["loss"]
        self.bad_steps.note(is_bad=self.is_bad_step, loss=loss, grad_norm=logs["grad_norm"])
        self.hooks.optimizer_step_done({**logs, **figures, "loss": loss})

    def save_into(self, directory: str) -> str:
        """Write `directory`/checkpoint-N, all ranks together; the path of what was written."""
        self._checkpoint_parent = directory
        start_optimizer(self)
        # TRL's own override adds a model card, for which it may ask the hub.
        Trainer._save_checkpoint(self, self.model_wrapped, None)
        written = f"{directory}/checkpoint-{self.state.global_step}"
        if self.accelerator.is_main_process:
            torch.save(self.method.state(), Path(written) / METHOD_STATE)
        return written

    def load_method(self, checkpoint: Path) -> None:
        """What `save_into` wrote besides the policy."""
        state = torch.load(checkpoint / METHOD_STATE, map_location="cpu", weights_only=True)
        self.method.load(state)

    def _get_output_dir(self, trial: Any) -> str:
        return str(self._checkpoint_parent)


def _scored_elsewhere(*args: Any, **kwargs: Any) -> list[float | None]:
    """TRL insists on a reward function; the services have scored every group already."""
    raise NotImplementedError
