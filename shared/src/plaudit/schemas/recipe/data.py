"""What a recipe trains and evaluates on."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from plaudit.length_budget import BudgetForm, BudgetStyle
from plaudit.schemas.common import Contract
from plaudit.schemas.recipe.source import SourceOptions, SourceRecipe

WEIGHTS_SUM_TOLERANCE = 1e-6


class LengthBudgetRecipe(Contract):
    """Each prompt also asks for a number of tokens, for `lcpo_exact` and `lcpo_max`."""

    form: BudgetForm = "exact"
    style: BudgetStyle = "l1"
    min_tokens: int = Field(default=100, ge=1)
    max_tokens: int = Field(default=4000, ge=1)
    """Drawn evenly from both and what is between, the same for the same row and `seed`."""
    seed: int = 0

    @model_validator(mode="after")
    def is_a_range(self) -> Self:
        if self.min_tokens > self.max_tokens:
            raise ValueError(f"min_tokens = {self.min_tokens} is over max_tokens")
        return self


class GrailRecipe(Contract):
    """Switches of the prompt that `format = "grail"` builds."""

    max_history: int = Field(default=12, ge=0)
    """Videos watched before, at most; 0: all."""
    show_ids: bool = False
    """A video without a title shows its id all the same."""
    max_title_chars: int = Field(default=160, ge=1)
    viewpoint: bool = True
    survey: bool = True
    questions: bool = True
    """These three: whether the section is there, when the row has what it says."""


class DataRecipe(SourceOptions):
    train: str | None = "seed"
    """A JSONL or Parquet file, a directory, a name on the Hugging Face hub (owner/name), or `seed`:
    the task that comes with the seed model. None with `sources`."""
    train_split: str = "train"
    eval: str | None = "seed"
    """As `train`. None with `validation_fraction`."""
    eval_split: str = "test"
    sources: list[SourceRecipe] = Field(default=[], max_length=64)
    """A mixture in place of `train`. What is set outside of it is for `eval`."""
    mixing: Literal["fraction", "probability"] = "fraction"
    """fraction: `weight` of each source's rows, shuffled together; probability: rows drawn from
    the sources by `weight` until the source that is drawn has none left."""
    seed: int = 0
    """Of shuffles, of the mixture and of the validation split."""
    shuffle: bool = False
    """A mixture is always shuffled. Rollouts visit rows in an order of their own anyway."""
    max_rows: int | None = Field(default=None, ge=1)
    validation_fraction: float | None = Field(default=None, gt=0.0, lt=1.0)
    """Held out of the training rows for evaluation; a row's id and `seed` alone decide."""
    chunks: int = Field(default=1, ge=1, le=1000)
    """Parts of the training rows, visited one after the other: floor(i * rows / chunks) is the
    first of each."""
    chunk: int | None = Field(default=None, ge=0)
    """Train on this one alone, from 0."""
    too_long: Literal["error", "drop", "truncate"] = "error"
    """truncate: the longest user message loses its beginning; never an answer."""
    max_prompt_fraction: float | None = Field(default=None, gt=0.0, le=1.0)
    """Drop rows whose prompt takes more of `model.max_model_tokens`."""
    single_turn: bool = False
    """Keep rows of `format = "messages"` that are one question and one answer."""
    system_prompt: str | None = None
    """A text, the name of one that Plaudit has, or a .jinja file. Rows keep one of their own."""
    prompt_template: str | None = None
    """jinja2 over the row's columns and `prompt`, in place of the user's message: a text, the name
    of one that Plaudit has, or a .jinja file."""
    length_budget: LengthBudgetRecipe | None = None
    """Put into the prompt and into `reference.num_tokens`; rows that have one there keep it."""
    grail: GrailRecipe = GrailRecipe()

    @model_validator(mode="before")
    @classmethod
    def replaces_what_was_not_given(cls, values: Any) -> Any:
        """`sources` stands for `train`, and `validation_fraction` for `eval`."""
        if not isinstance(values, dict):
            return values
        replaced = {"train": values.get("sources"), "eval": values.get("validation_fraction")}
        return {name: None for name, by in replaced.items() if by} | values

    @model_validator(mode="after")
    def trains_on_one_thing(self) -> Self:
        if (self.train is None) == (not self.sources):
            raise ValueError("give either train or sources")
        if self.eval is not None and self.validation_fraction is not None:
            raise ValueError("give either eval or validation_fraction")
        if self.chunk is not None and self.chunk >= self.chunks:
            raise ValueError(f"chunk = {self.chunk} is not below chunks = {self.chunks}")
        return self

    @model_validator(mode="after")
    def sources_fit_together(self) -> Self:
        weights = [source.weight for source in self.sources]
        over = [weight for weight in weights if weight > 1.0]
        if over:
            raise ValueError(f"sources: weight = {over[0]:g} is over 1; it is a fraction")
        total = sum(weights)
        is_probability = self.mixing == "probability" and self.sources
        if is_probability and abs(total - 1.0) > WEIGHTS_SUM_TOLERANCE:
            raise ValueError(f"sources: the weights sum to {total:g}; probabilities sum to 1")
        declared = [frozenset(source.columns) for source in self.sources if source.columns]
        for one in declared[1:]:
            if one != declared[0]:
                differ = sorted(one ^ declared[0])
                raise ValueError(
                    f"sources: some map the columns {differ} and some do not; map the same in all"
                )
        return self
