"""Tokens per second and peak memory of a training step, beside stock TRL on the same batches.

    python benchmarks/learner.py [--repeats 2] [--steps 2] [--completions 32] [--write-docs]

Lengths of prompts and completions are log-normal, the 95th percentile ten times the 5th. Both sides
are TRL's GRPOTrainer with the same model, arguments and completions; ours is the learner's base
class, which makes a step in passes of `max_tokens_per_pass`, while stock TRL is given each of
`--stock-batches` as its batch size of a pass (gradient accumulation makes up the step) and its best
is taken. Tokens are those of prompts and completions, without padding; a step includes the
optimizer. Each run is a process of its own; the sides take turns, and medians are shown. Ratios
are of seconds on a GPU, and of CPU seconds elsewhere, which a busy machine changes less.
"""

import argparse
import json
import math
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from docs_section import machine, write_section

SPREAD = 10.0
SIGMA = math.log(SPREAD) / (2 * 1.6449)
"""Of the logarithm of a length: 1.6449 standard deviations are the 95th percentile."""
MIB = 2**20
BAR = 1.5
VOCABULARY = 32_768
SHAPES = {
    "cpu": {"hidden": 256, "layers": 4, "median_prompt": 32, "median_completion": 96},
    "cuda": {"hidden": 1024, "layers": 12, "median_prompt": 128, "median_completion": 384},
}


def main() -> None:
    options = parse()
    if options.side is not None:
        print(json.dumps(measure(options)))
        return
    arms = [("ours", None), *(("stock", size) for size in options.stock_batches)]
    found: dict[Any, list[dict[str, Any]]] = {arm: [] for arm in arms}
    for _ in range(options.repeats):
        for arm in arms:
            found[arm].append(run_arm(options, *arm))
    figures = {arm: middle(runs) for arm, runs in found.items()}
    text = table(figures)
    print(text)
    if options.write_docs:
        write_section(f"learner-{figures['ours', None]['device']}", text)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--steps", type=int, default=2, help="measured, after one to warm up")
    parser.add_argument("--completions", type=int, default=32, help="of a step")
    parser.add_argument("--stock-batches", type=int, nargs="+", default=[4, 8])
    parser.add_argument("--max-tokens-per-pass", type=int)
    parser.add_argument("--write-docs", action="store_true")
    parser.add_argument("--side", choices=["ours", "stock"], help=argparse.SUPPRESS)
    parser.add_argument("--batch", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


def run_arm(options: argparse.Namespace, side: str, batch: int | None) -> dict[str, Any]:
    command = [sys.executable, __file__, "--side", side, "--steps", str(options.steps)]
    command += ["--completions", str(options.completions)]
    if batch is not None:
        command += ["--batch", str(batch)]
    if options.max_tokens_per_pass is not None:
        command += ["--max-tokens-per-pass", str(options.max_tokens_per_pass)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-3000:]}")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(f"{side} {batch or ''}: {median(figures['wall_s']):.2f} s a step", file=sys.stderr)
    return figures


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """One side in this process."""
    import torch

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", len(os.sched_getaffinity(0)))))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with tempfile.TemporaryDirectory(prefix="plaudit-learner-") as directory:
        trainer, num_tokens, clock = make_trainer(options, device, Path(directory))
        trainer.train()
    history = [line for line in trainer.state.log_history if "grad_norm" in line]
    peak = (
        torch.cuda.max_memory_allocated()
        if device == "cuda"
        else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    )
    return {
        "device": device,
        "wall_s": clock.wall_s[1:],
        "cpu_s": clock.cpu_s[1:],
        "num_tokens": num_tokens,
        "peak_bytes": peak,
        "grad_norm": history[0]["grad_norm"],
    }


def make_trainer(options: argparse.Namespace, device: str, directory: Path) -> Any:
    from datasets import Dataset
    from trl.trainer.grpo_config import GRPOConfig
    from trl.trainer.grpo_trainer import GRPOTrainer

    from plaudit_trainer.learner.bucketed import BucketedTrainer

    shape = SHAPES[device]
    batch = completions(options.completions, shape)
    size = options.batch or options.completions
    args = GRPOConfig(
        output_dir=str(directory), max_steps=options.steps + 1, num_generations=8,
        per_device_train_batch_size=size, gradient_accumulation_steps=options.completions // size,
        learning_rate=1e-5, loss_type="dapo", use_cpu=device == "cpu", bf16=device == "cuda",
        gradient_checkpointing=device == "cuda", save_strategy="no", report_to=[],
        logging_steps=1, disable_tqdm=True, dataloader_pin_memory=False, seed=0,
    )  # fmt: skip
    clock = stopwatch()
    shared: dict[str, Any] = {
        "model": make_model(shape),
        "reward_funcs": lambda reward, **_: reward,
        "args": args,
        "processing_class": make_tokenizer(),
        "train_dataset": Dataset.from_dict({"prompt": ["x"] * (options.completions // 8)}),
        "rollout_func": lambda prompts, trainer: dict(batch),
        "callbacks": [clock],
    }
    if options.side == "stock":
        trainer: Any = GRPOTrainer(**shared)
    else:
        trainer = BucketedTrainer(max_tokens_per_pass=options.max_tokens_per_pass, **shared)
    return trainer, sum(map(len, batch["prompt_ids"] + batch["completion_ids"])), clock


def completions(count: int, shape: dict[str, int]) -> dict[str, Any]:
    """The same for every side; groups of 8 share their prompt."""
    draw = random.Random(0)

    def tokens(typical: int) -> list[int]:
        length = max(1, round(typical * math.exp(SIGMA * draw.gauss(0, 1))))
        return [draw.randrange(3, VOCABULARY) for _ in range(length)]

    prompts = [tokens(shape["median_prompt"]) for _ in range(count // 8)]
    answers = [tokens(shape["median_completion"]) for _ in range(count)]
    return {
        "prompt_ids": [prompt for prompt in prompts for _ in range(8)],
        "completion_ids": answers,
        "logprobs": [[0.0] * len(answer) for answer in answers],
        "reward": [draw.gauss(0, 1) for _ in answers],
    }


def make_model(shape: dict[str, int]) -> Any:
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(0)
    hidden = shape["hidden"]
    config = Qwen2Config(
        vocab_size=VOCABULARY, hidden_size=hidden, intermediate_size=4 * hidden,
        num_hidden_layers=shape["layers"], num_attention_heads=hidden // 64,
        num_key_value_heads=hidden // 128, max_position_embeddings=16_384,
        tie_word_embeddings=True, bos_token_id=None, eos_token_id=1, pad_token_id=0,
    )  # fmt: skip
    return Qwen2ForCausalLM(config)  # type: ignore[no-untyped-call]


def make_tokenizer() -> Any:
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    raw = Tokenizer(models.WordLevel({"<pad>": 0, "<end>": 1, "x": 2}, unk_token="x"))
    make: Any = PreTrainedTokenizerFast
    return make(tokenizer_object=raw, pad_token="<pad>", eos_token="<end>", unk_token="x")


def stopwatch() -> Any:
    import torch
    from transformers import TrainerCallback

    class Stopwatch(TrainerCallback):
        """Seconds of each step, from batch to optimizer."""

        def __init__(self) -> None:
            self.wall_s: list[float] = []
            self.cpu_s: list[float] = []
            self._began = (0.0, 0.0)

        def on_step_begin(self, *args: Any, **kwargs: Any) -> None:
            self._began = self._now()

        def on_step_end(self, *args: Any, **kwargs: Any) -> None:
            wall_s, cpu_s = self._now()
            self.wall_s.append(wall_s - self._began[0])
            self.cpu_s.append(cpu_s - self._began[1])

        def _now(self) -> tuple[float, float]:
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            return time.perf_counter(), time.process_time()

    return Stopwatch()


def middle(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians over the steps of all runs."""
    figures = dict(runs[0])
    for name in ("wall_s", "cpu_s"):
        figures[name] = median(value for run in runs for value in run[name])
    figures["peak_bytes"] = median(run["peak_bytes"] for run in runs)
    return figures


def table(found: dict[Any, dict[str, Any]]) -> str:
    ours = found["ours", None]
    clock = "wall_s" if ours["device"] == "cuda" else "cpu_s"
    lines = [
        "| | tokens/s | tokens per CPU second | peak memory, MiB | gradient norm |",
        "|---|---|---|---|---|",
    ]
    for (side, batch), one in found.items():
        name = "Plaudit" if side == "ours" else f"TRL, {batch} completions per pass"
        lines.append(
            f"| {name} | {one['num_tokens'] / one['wall_s']:,.0f} "
            f"| {one['num_tokens'] / one['cpu_s']:,.0f} | {one['peak_bytes'] / MIB:,.0f} "
            f"| {one['grad_norm']:.5f} |"
        )
    stock = min((one for arm, one in found.items() if arm[0] == "stock"), key=lambda o: o[clock])
    ratio = stock[clock] / ours[clock]
    memory = ours["peak_bytes"] / stock["peak_bytes"]
    where = machine() if ours["device"] == "cpu" else gpu_name()
    lines += [
        "",
        f"{ratio:.2f} x the tokens per {'second' if clock == 'wall_s' else 'CPU second'} of TRL's "
        f"best, with {memory:.2f} x its peak memory (goal: at least {BAR} x). A step has "
        f"{ours['num_tokens']:,} tokens. {where}.",
    ]
    return "\n".join(lines)


def gpu_name() -> str:
    import torch

    return str(torch.cuda.get_device_name())


if __name__ == "__main__":
    main()
