"""One cell of overlap.py: stock TRL on the engine and the services that Plaudit uses.

    python benchmarks/overlap_trl.py RUN_DIR ENGINE_URL OUTPUT

RUN_DIR is a Plaudit run of the same cell, whose recipe is taken: the same rows in the same order,
the same GRPOConfig, rewards, judge, latency, threads. OUTPUT gets the time of each step's end.

The trainer is `GRPOTrainer` as it comes. Its `rollout_func` is TRL's own seam for an engine of
one's own: it loads the weights into vLLM, one request per prompt, all at once. Its async reward
function scores all groups of a step at once, through the conductor's own code. Nothing here waits
for what could run at once, except for what the trainer itself does one after the other. TRL's
second forward pass for the correction of engine log-probabilities is left out, in its favour.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any

import torch
from datasets import Dataset
from safetensors.torch import save_file
from transformers import TrainerCallback
from trl.trainer.grpo_trainer import GRPOTrainer

from plaudit.client import JudgeClient, RewardClient
from plaudit.config import load_settings
from plaudit.schemas.recipe import Recipe
from plaudit.schemas.rollout import Completion, RolloutGroup, Sampling
from plaudit_rollout.engine.client import Choice, EngineClient
from plaudit_rollout.policy.probe import check_probe
from plaudit_trainer.conductor.scoring import Scorer
from plaudit_trainer.data import Row, VisitOrder, load_rows
from plaudit_trainer.learner.arguments import grpo_config
from plaudit_trainer.learner.loading import load_model, load_tokenizer
from plaudit_trainer.learner.probe import compute_probe, probe_sequences, tolerance_of
from plaudit_trainer.learner.publisher import policy_weights
from plaudit_trainer.learner.threads import default_num_threads
from plaudit_trainer.run_dir import RunDir
from plaudit_trainer.settings import TrainerSettings

TIMEOUT_S = 120.0
Rewards = Callable[..., Any]
"""TRL takes coroutine functions, too; its annotations leave them out."""


class Rollouts:
    """`rollout_func`: what the engine answers to each prompt under the trainer's weights."""

    def __init__(self, engine_url: str, recipe: Recipe, tokenizer: Any, directory: Path) -> None:
        self._engine_url = engine_url
        self._recipe = recipe
        self._tokenizer = tokenizer
        self._directory = directory

    def __call__(self, prompts: list[Any], trainer: Any) -> dict[str, list[Any]]:
        method = self._recipe.method
        unique = prompts[:: method.num_generations]
        prompt_ids = [self._encode(prompt) for prompt in unique]
        self._write_weights(trainer)
        found = asyncio.run(self._generate(prompt_ids))
        choices = [choice for group in found for choice in group]
        return {
            "prompt_ids": [ids for ids in prompt_ids for _ in range(method.num_generations)],
            "completion_ids": [choice.token_ids for choice in choices],
            "logprobs": [choice.logprobs.token_logprobs for choice in choices],
            "finish_reason": [choice.finish_reason for choice in choices],
        }

    def prove(self, trainer: Any) -> float:
        """How far the engine's log-probabilities are from the trainer's; raises when too far."""
        self._write_weights(trainer)
        sequences = probe_sequences(self._tokenizer)
        probe = compute_probe(trainer.model, sequences, tolerance_of(self._recipe))

        async def check() -> float:
            async with self._loaded_engine() as engine:
                return await check_probe(engine, probe)

        return asyncio.run(check())

    @asynccontextmanager
    async def _loaded_engine(self) -> AsyncIterator[EngineClient]:
        """A new one each time: no loop runs between steps that would see connections end."""
        engine = EngineClient(self._engine_url, TIMEOUT_S, TIMEOUT_S)
        try:
            await engine.reload_weights(str(self._directory))
            yield engine
        finally:
            await engine.aclose()

    def _encode(self, prompt: list[dict[str, str]]) -> list[int]:
        ids: list[int] = self._tokenizer.apply_chat_template(
            prompt, add_generation_prompt=True, tokenize=True, return_dict=False
        )
        return ids

    def _write_weights(self, trainer: Any) -> None:
        """`lm_head` is written out: vLLM would keep the old one where embeddings are tied."""
        self._directory.mkdir(exist_ok=True)
        weights = policy_weights(trainer, torch.float32)
        save_file(weights, self._directory / "model.safetensors", metadata={"format": "pt"})

    async def _generate(self, prompt_ids: list[list[int]]) -> list[list[Choice]]:
        method, salt = self._recipe.method, token_hex(8)
        sampling = Sampling(temperature=method.temperature, max_tokens=method.max_completion_tokens)
        async with self._loaded_engine() as engine:
            requests = (
                engine.generate(ids, method.num_generations, sampling, salt) for ids in prompt_ids
            )
            return await asyncio.gather(*requests)


def reward_function(recipe: Recipe, rows: list[Row]) -> Rewards:
    """All groups of a step at once, each with the recipe's latency, by the same services."""
    settings = load_settings(TrainerSettings, service="trainer")
    scorers: list[Scorer] = []
    run = token_hex(4)

    async def rewards(
        completions: list[Any],
        completion_ids: list[list[int]],
        row: list[int],
        finish_reason: list[Any],
        trainer_state: Any,
        **_: Any,
    ) -> list[float | None]:
        if not scorers:  # in the loop that the clients are to live in
            reward, judge = RewardClient(settings.reward_url), JudgeClient(settings.judge_url)
            scorers.append(Scorer(recipe.rewards, recipe.judge, recipe.pipeline, reward, judge))
        calls = []
        for start in range(0, len(row), recipe.method.num_generations):
            members = range(start, start + recipe.method.num_generations)
            answers = [
                _completion(completions[i], completion_ids[i], finish_reason[i]) for i in members
            ]
            group = _group(rows[row[start]], answers)
            key = f"trl/{run}/{trainer_state.global_step}/{start}"
            calls.append(scorers[0].score(group, rows[row[start]].kind, key))
        scored = await asyncio.gather(*calls)
        return [score.total for group in scored for score in group.scores]

    return rewards


def _completion(messages: list[dict[str, str]], ids: list[int], finish_reason: Any) -> Completion:
    return Completion(
        text=messages[0]["content"],
        token_ids=ids,
        logprobs=[],
        finish_reason=finish_reason,
        policy_versions=[],
    )


def _group(row: Row, completions: list[Completion]) -> RolloutGroup:
    return RolloutGroup(
        run_id="trl",
        group_id=row.id,
        prompt=row.prompt,
        prompt_token_ids=[],
        reference=row.reference,
        completions=completions,
        replica_id="trl",
    )


class StepTimes(TrainerCallback):
    def __init__(self) -> None:
        self.times: list[float] = []

    def on_step_end(self, *args: Any, **kwargs: Any) -> None:
        self.times.append(time.time())


def dataset(recipe: Recipe, rows: list[Row]) -> Dataset:
    """The prompts in the order in which a Plaudit run admits them."""
    order = VisitOrder(len(rows), recipe.seed)
    number = recipe.budget.steps * recipe.pipeline.groups_per_step
    visited = [order.row_index(*divmod(place, len(rows))) for place in range(number)]
    prompts = [[m.model_dump() for m in rows[index].prompt] for index in visited]
    return Dataset.from_dict({"prompt": prompts, "row": visited})


def main(run_path: Path, engine_url: str, output: Path) -> None:
    recipe = RunDir(run_path).recipe()
    rows = load_rows(recipe)
    torch.set_num_threads(recipe.learner.num_threads or default_num_threads(1))
    args = grpo_config(recipe, output.parent, has_gpu=torch.cuda.is_available(), num_processes=1)
    tokenizer = load_tokenizer(recipe)
    weights_dir = output.with_suffix(".weights")
    rollouts = Rollouts(engine_url, recipe, tokenizer, weights_dir)
    steps = StepTimes()
    trainer = GRPOTrainer(
        model=load_model(recipe),
        reward_funcs=reward_function(recipe, rows),
        args=args,
        train_dataset=dataset(recipe, rows),
        processing_class=tokenizer,
        callbacks=[steps],
        rollout_func=rollouts,
    )
    trainer.train()
    gap = rollouts.prove(trainer)
    rewards = [line["reward"] for line in trainer.state.log_history if "reward" in line]
    output.write_text(json.dumps({"times": steps.times, "rewards": rewards, "gap": gap}))


if __name__ == "__main__":
    os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
