"""The discriminator itself: a classifier whose label 1 is the expert's, and its optimiser.

Everything here runs in the device's thread, so no batch sees half of an update. B texts, L labels.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

import torch
from safetensors.torch import load_file, load_model, save_file, save_model
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from plaudit.errors import ConfigError, Rejected, Unavailable
from plaudit.schemas.discriminator import DiscriminatorUpdated
from plaudit_reward.models.batches import cut_into_batches
from plaudit_reward.models.discriminator.versions import Remembered, Version, Versions
from plaudit_reward.models.local.encoder import Encoded, Encoder
from plaudit_reward.models.local.loading import (
    check_path,
    load_tokenizer,
    longest_text,
    pad_id_of,
    pick_device,
    vocabulary_size,
)
from plaudit_reward.models.local.padding import padded
from plaudit_reward.models.metrics import DISCRIMINATOR_VERSION
from plaudit_reward.models.spec import DiscriminatorSpec

WEIGHTS, OPTIMIZER = "weights.safetensors", "optimizer.safetensors"
EXPERT = 1


@dataclass(frozen=True)
class Lesson:
    """Tokens of the examples with their labels and how many answers of the policy each is, and
    what the answer says of them besides."""

    update_id: str
    batch: Sequence[Encoded]
    labels: Sequence[int]
    num_choices: Sequence[int]
    steps: int
    num_left_out: int


@dataclass(frozen=True)
class Measured:
    loss: float
    accuracy: float
    separation: float | None


@dataclass
class Discriminator:
    name: str
    spec: DiscriminatorSpec
    max_batch_tokens: int
    model: PreTrainedModel
    optimizer: torch.optim.AdamW
    encoder: Encoder
    pad_id: int
    versions: Versions
    at: Version | None = None
    """None: what is in memory is no version, and is replaced by the newest before it is used."""
    _optimizer_at: int | None = field(default=None, repr=False)

    @property
    def device(self) -> torch.device:
        return self.model.device

    @torch.inference_mode()
    def compute(self, batch: Sequence[Encoded]) -> list[float]:
        """D of each: the probability that it is the expert's."""
        found: list[float] = self._logits(batch).softmax(-1)[:, EXPERT].tolist()
        return found

    def catch_up(self) -> Version:
        """The newest version, in memory. The first of all workers makes version 0."""
        newest = self.versions.newest()
        if newest is None:
            first = Version(version=0, base=self.spec.path, sha256={})
            self.versions.publish(first, self._write)
            newest = self.versions.newest() or 0
        if self.at is None or self.at.version != newest:
            self.at = self._read(newest)
        DISCRIMINATOR_VERSION.labels(self.name).set(newest)
        return self.at

    def learn(self, lesson: Lesson) -> DiscriminatorUpdated:
        """One version more, or the answer that this update has had before.

        Raises Unavailable: another worker made that version meanwhile; Rejected: no finite loss.
        """
        before = self.catch_up()
        if known := before.answer_to(lesson.update_id):
            return known
        if not lesson.batch:
            return self._answer(lesson, before.version, None)
        self._restore_optimizer(before.version)
        self.at = self._optimizer_at = None  # until what is in memory is a version again
        with _reproducible(self.spec.seed + before.version, self.device):
            measured = [self._step(lesson) for _ in range(lesson.steps)][-1]
        answer = self._answer(lesson, before.version + 1, measured)
        after = before.next(Remembered(update_id=lesson.update_id, answer=answer))
        if not self.versions.publish(after, self._write):
            raise Unavailable(f"another worker has made version {after.version}.")
        self.at, self._optimizer_at = after, after.version
        DISCRIMINATOR_VERSION.labels(self.name).set(after.version)
        return answer

    def _step(self, lesson: Lesson) -> Measured:
        self.model.train()
        self.optimizer.zero_grad()
        try:
            measured = self._backward(lesson)
            norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.spec.max_grad_norm)
            if not norm.isfinite():
                raise Rejected(
                    f"discriminator {self.name!r}: the gradient of this update is not finite.",
                    fix="lower learning_rate, or go back to an earlier version (docs/reward.md)",
                )
            self.optimizer.step()
        finally:
            self.optimizer.zero_grad()
            self.model.eval()  # type: ignore[no-untyped-call]
        return measured

    def _backward(self, lesson: Lesson) -> Measured:
        """Of the mean cross-entropy over all examples, however many batches they make."""
        loss, num_right = 0.0, 0
        d: dict[int, float] = {}
        lengths = [len(one.token_ids) for one in lesson.batch]
        for indices in cut_into_batches(lengths, self.max_batch_tokens):
            logits_BL = self._logits([lesson.batch[index] for index in indices])
            labels_B = torch.tensor([lesson.labels[i] for i in indices], device=self.device)
            part = torch.nn.functional.cross_entropy(logits_BL, labels_B, reduction="sum")
            part = part / len(lesson.batch)
            part.backward()  # type: ignore[no-untyped-call]
            loss += part.item()
            num_right += int((logits_BL.argmax(-1) == labels_B).sum())
            d |= zip(indices, logits_BL.softmax(-1)[:, EXPERT].tolist(), strict=True)
        separation = _separation(lesson, [d[index] for index in range(len(lesson.batch))])
        return Measured(loss, num_right / len(lesson.batch), separation)

    def _logits(self, batch: Sequence[Encoded]) -> torch.Tensor:
        ids_BT, mask_BT, _ = padded([one.token_ids for one in batch], self.pad_id, self.device)
        found: torch.Tensor = self.model(input_ids=ids_BT, attention_mask=mask_BT).logits.float()
        return found

    def _answer(
        self, lesson: Lesson, version: int, measured: Measured | None
    ) -> DiscriminatorUpdated:
        return DiscriminatorUpdated(
            discriminator=self.name,
            version=version,
            loss=measured.loss if measured else None,
            accuracy=measured.accuracy if measured else None,
            separation=measured.separation if measured else None,
            num_positives=sum(lesson.labels),
            num_negatives=len(lesson.labels) - sum(lesson.labels),
            num_left_out=lesson.num_left_out,
        )

    def _write(self, directory: Path) -> None:
        save_model(self.model, str(directory / WEIGHTS))
        state = {
            f"{name}:{key}": value.contiguous()
            for name, parameter in self.model.named_parameters()
            for key, value in self.optimizer.state.get(parameter, {}).items()
        }
        if state:
            save_file(state, str(directory / OPTIMIZER))

    def _read(self, number: int) -> Version:
        """Raises PlauditError: it is not whole, or of another model."""
        self.at = None
        found = self.versions.read(number, self.spec.path)
        path = self.versions.path_of(number) / WEIGHTS
        try:
            load_model(self.model, str(path), device=str(self.device))
        except OSError as error:
            raise Unavailable(f"{path} is gone: {type(error).__name__}.") from error
        except RuntimeError as error:
            raise ConfigError(
                f"directory = {str(self.spec.directory)!r} has another model's weights: "
                f"{str(error)[:300]}",
                fix="name another directory, or the path that it started from",
            ) from error
        return found

    def _restore_optimizer(self, number: int) -> None:
        if self._optimizer_at == number:
            return
        self.optimizer.state.clear()
        path = self.versions.path_of(number) / OPTIMIZER
        stored = load_file(str(path)) if path.exists() else {}
        parameters = dict(self.model.named_parameters())
        for key, value in stored.items():
            name, _, what = key.rpartition(":")
            # As torch keeps it: the count of steps on the CPU.
            place = value if what == "step" else value.to(self.device)
            self.optimizer.state.setdefault(parameters[name], {})[what] = place
        self._optimizer_at = number


def load_discriminator(name: str, spec: DiscriminatorSpec, max_batch_tokens: int) -> Discriminator:
    """Raises ConfigError."""
    check_path(spec.path)
    device = pick_device(spec.device)
    tokenizer = load_tokenizer(spec.path)
    model = _base_model(spec, device)
    pad_id = pad_id_of(model, tokenizer)
    if pad_id is None:
        raise ConfigError(
            f"path = {spec.path!r}: neither model nor tokenizer has a padding token.",
            fix="set pad_token in its tokenizer_config.json",
        )
    model.config.get_text_config().pad_token_id = pad_id
    longest = longest_text(model, tokenizer)
    length = min(longest, spec.max_length_tokens or longest)
    return Discriminator(
        name=name,
        spec=spec,
        max_batch_tokens=max_batch_tokens,
        model=model,
        optimizer=torch.optim.AdamW(
            model.parameters(), lr=spec.learning_rate, weight_decay=spec.weight_decay
        ),
        encoder=Encoder(tokenizer, length, vocabulary_size(model), chat=False),
        pad_id=pad_id,
        versions=Versions(spec.directory, spec.keep_versions),
    )


def _base_model(spec: DiscriminatorSpec, device: torch.device) -> PreTrainedModel:
    """Raises ConfigError, also when more than the head is missing in its file."""
    try:
        with _reproducible(spec.seed, device):
            model, found = AutoModelForSequenceClassification.from_pretrained(
                spec.path,
                num_labels=2,
                dtype=torch.float32,
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ConfigError(
            f"path = {spec.path!r}: no classifier of two labels: {str(error).strip()[:500]}",
            fix="give a directory with config.json, safetensors and a tokenizer, or a hub id",
        ) from error
    body = f"{model.base_model_prefix}."
    if missing := sorted(key for key in found["missing_keys"] if key.startswith(body)):
        raise ConfigError(
            f"path = {spec.path!r}: its file lacks weights: {', '.join(missing[:5])}.",
            fix="name a model of the architecture that its config.json says",
        )
    loaded: PreTrainedModel = model.to(device).eval()
    return loaded


def _separation(lesson: Lesson, d: Sequence[float]) -> float | None:
    """Mean D of the expert's actions less that of the policy's answers, right ones among them."""
    expert = [one for one, label in zip(d, lesson.labels, strict=True) if label == EXPERT]
    num_answers = sum(lesson.num_choices)
    if not expert or not num_answers:
        return None
    policy = sum(one * count for one, count in zip(d, lesson.num_choices, strict=True))
    return fmean(expert) - policy / num_answers


@contextmanager
def _reproducible(seed: int, device: torch.device) -> Iterator[None]:
    """Random numbers of its own, for a fresh head and dropout: the same try is the same step."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
