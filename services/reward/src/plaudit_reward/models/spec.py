"""The models of the pool `model`: tables [reward.models.NAME], told apart by `kind`.

Requests name a model, never a path or an address: who can reach the API must not be able to make
a worker load or call anything.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from plaudit.config.api_key import WithApiKey
from plaudit.schemas.common import Contract
from plaudit_reward.models.discriminator.template import GRAIL_TEXT, checked_template

MODEL_NAME_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,39}$"
MAX_MODELS = 64

Normalization = Annotated[list[float], Field(min_length=4, max_length=5)]


class LocalModel(Contract):
    """A model that the worker itself runs."""

    path: str = Field(min_length=1)
    """Directory with config.json, safetensors and a tokenizer, or a hub id."""
    device: str = Field(default="auto", pattern=r"^(auto|cpu|cuda(:[0-9]+)?)$")
    """auto: the first GPU where there is one."""
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    """auto: bfloat16 on a GPU, float32 on the CPU."""
    max_length_tokens: int | None = Field(default=None, ge=1)
    """A longer text is too long; None: what the model and its tokenizer allow."""


class Scaled(Contract):
    """Of the rewards on a sample of texts, for `normalize`."""

    mean: float | None = None
    """None: `mean` of the model's config.json, where the reward model's training puts it."""
    std: float | None = Field(default=None, ge=0.0)

    @model_validator(mode="after")
    def both(self) -> Self:
        if (self.mean is None) != (self.std is None):
            raise ValueError("give mean and std, or neither")
        return self


class TextModel(LocalModel, Scaled):
    """A model that reads a text and gives one number."""

    template: Literal["auto", "chat", "plain"] = "auto"
    """chat: the tokenizer's chat template; plain: all contents with an empty line between;
    auto: chat where the tokenizer has one."""
    append_eos: bool | None = None
    """Cut newlines at the end off and end with EOS, as OpenRLHF trains its reward models. None:
    `append_eos` of the model's config.json, where Plaudit's training says it, else false."""


class ClassifierSpec(TextModel):
    """Any AutoModelForSequenceClassification."""

    kind: Literal["classifier"]
    label: int | None = Field(default=None, ge=0)
    """Which of several labels is the reward."""
    softmax: bool = False
    """Its probability among all labels instead of its logit."""


class ValueHeadSpec(TextModel):
    """A causal LM with a linear head without bias that gives a number at the last token."""

    kind: Literal["value_head"]
    value_head_prefix: str = Field(default="score", pattern=r"^[A-Za-z_][A-Za-z0-9_.]{0,79}$")
    """The head's name in the safetensors file."""


class VllmSpec(WithApiKey, Scaled):
    """A classifier behind vLLM's pooling API."""

    kind: Literal["vllm"]
    base_url: str
    """Of the server, up to before /classify."""
    model: str | None = None
    """The served name; None: the server's only one."""
    endpoint: Literal["classify", "pooling"] = "classify"
    """pooling: POST /pooling with task classify."""
    template: Literal["chat", "plain"] = "chat"
    """chat: the server's chat template; plain: all contents with an empty line between."""
    label: int | None = Field(default=None, ge=0)
    """Which of several labels is the reward."""
    max_length_tokens: int | None = Field(default=None, ge=1)
    """Where `too_long = "truncate"` cuts; None: at the server's own limit."""
    check_activation: bool = True
    """Find out whether the server heeds `use_activation`, before any value is believed."""
    max_concurrency: int = Field(default=32, ge=1, le=1024)
    """Calls at once, per worker process."""
    timeout_s: float = Field(default=60.0, gt=0.0)
    """Of one call, with all its attempts."""


class UnitSpec(LocalModel, Scaled):
    """A value-head model that scores segments, and the language model that finds their ends."""

    kind: Literal["unit"]
    value_head_prefix: str = Field(default="score", pattern=r"^[A-Za-z_][A-Za-z0-9_.]{0,79}$")
    reference_path: str = Field(min_length=1)
    """The causal LM that training of the reward model found segments with, as `path`."""
    c_ent: float = Field(ge=0.0)
    """Nats. A token after which the entropy is higher ends a segment; 0: each token is one,
    1000: the whole text."""
    normalization: Normalization | None = None
    """[w_mu, w_sigma, b_mu, b_sigma, p_min]: mean w_mu * ln(p) + b_mu, std likewise, at the share p
    of the segments, or at p_min (0 where it is left out) if that is more. None: the file's, else
    what `path` has in normalization.json, where the training of the model puts it, else
    [0, 0, 0, 1], which changes nothing."""
    normalization_file: Path | None = None
    """JSON: such a list, or tables in which `normalization_key` finds one."""
    normalization_key: str = ""
    """Names on the way to the list, with / between: phi3/preference700k/peak/avg/1.75."""

    @model_validator(mode="after")
    def one_normalization(self) -> Self:
        if self.normalization and self.normalization_file:
            raise ValueError("give normalization or normalization_file, not both")
        return self


class DiscriminatorSpec(LocalModel):
    """A classifier of two labels that learns online, with a fresh head where `path` has none."""

    kind: Literal["discriminator"]
    directory: Path
    """Of its versions, one for all workers; nothing else may be in it."""
    max_length_tokens: int | None = Field(default=512, ge=8)
    """A longer text loses its beginning; the action stands at its end."""
    learning_rate: float = Field(default=2e-5, gt=0.0, le=1.0)
    weight_decay: float = Field(default=0.01, ge=0.0, le=1.0)
    max_grad_norm: float = Field(default=1.0, gt=0.0)
    extra_negatives: int = Field(default=0, ge=0, le=64)
    """So many other options of a group, drawn at random, count as chosen by the policy."""
    keep_versions: int = Field(default=3, ge=2, le=1000)
    template: str = Field(default=GRAIL_TEXT, max_length=4096)
    """A line whose fields are all empty is left out; the last one has the action."""
    seed: int = Field(default=0, ge=0, lt=2**31)
    """Of the fresh head and of dropout."""

    @field_validator("directory", mode="after")
    @classmethod
    def directory_is_absolute(cls, value: Path) -> Path:
        if not value.is_absolute():
            raise ValueError(f"{str(value)!r} is not absolute: workers start anywhere")
        return value

    @field_validator("dtype", mode="after")
    @classmethod
    def learns_in_float32(cls, value: str) -> str:
        if value not in ("auto", "float32"):
            raise ValueError(f"{value!r}: a discriminator learns in float32; leave dtype out")
        return value

    @field_validator("template", mode="after")
    @classmethod
    def template_is_plain(cls, value: str) -> str:
        return checked_template(value)


ModelSpec = Annotated[
    ClassifierSpec | ValueHeadSpec | VllmSpec | UnitSpec | DiscriminatorSpec,
    Field(discriminator="kind"),
]
LOCAL_KINDS = ("classifier", "value_head", "unit", "discriminator")
"""These need torch."""
