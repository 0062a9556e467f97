"""`plaudit generate PROMPTS OUT`: batch inference from a file to a file."""

from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from plaudit.cli.generation import Generation, execute
from plaudit.config.api_key import WithApiKey
from plaudit.config.names import describe_errors
from plaudit.errors import ConfigError
from plaudit.generating.prompts import PromptFile, describe
from plaudit.schemas.common import MAX_TEMPERATURE
from plaudit.schemas.generate import Ask
from plaudit.schemas.rollout import MAX_COMPLETIONS, Sampling

_SERVICE = "the rollout service"


def generate(
    prompts: Annotated[
        Path, typer.Argument(help="JSONL or Parquet: id, prompt (a text or messages), reference.")
    ],
    output: Annotated[Path, typer.Argument(help="JSONL, one line per row, in the rows' order.")],
    endpoint: Annotated[
        str | None,
        typer.Option(help="An OpenAI-compatible URL up to before /chat/completions."),
    ] = None,
    model: Annotated[str | None, typer.Option(help="What the endpoint calls the model.")] = None,
    api_key_env: Annotated[
        str | None, typer.Option(help="Variable that holds the endpoint's key.")
    ] = None,
    api_key_file: Annotated[
        Path | None, typer.Option(help="File that holds the endpoint's key.")
    ] = None,
    n: Annotated[int, typer.Option(min=1, max=MAX_COMPLETIONS, help="Completions per row.")] = 1,
    temperature: Annotated[float, typer.Option(min=0.0, max=MAX_TEMPERATURE)] = 0.7,
    top_p: Annotated[float, typer.Option(min=0.0, max=1.0)] = 0.8,
    top_k: Annotated[int, typer.Option(min=0, help="0: every token, and it is not sent.")] = 20,
    max_tokens: Annotated[int, typer.Option(min=1, help="Of one completion.")] = 512,
    seed: Annotated[int | None, typer.Option(help="Each row's is this plus its number.")] = None,
    strip_think: Annotated[
        bool, typer.Option("--strip-think", help="Cut off what comes before the last </think>.")
    ] = False,
    prompt_column: Annotated[str, typer.Option()] = "prompt",
    id_column: Annotated[str, typer.Option(help="Rows without one are numbered from 0.")] = "id",
    reference_column: Annotated[str, typer.Option(help="Kept beside the answer.")] = "reference",
    concurrency: Annotated[int, typer.Option(min=1, max=1024, help="Rows at once.")] = 32,
    timeout_s: Annotated[
        float, typer.Option(min=1.0, help="For one row, with all its attempts.")
    ] = 600.0,
    as_json: Annotated[bool, typer.Option("--json", help="The summary as JSON.")] = False,
) -> None:
    """Answer every prompt of a file by the rollout service, or by any OpenAI-compatible endpoint.

    The same command again goes on where it stopped: no row is asked twice, none is lost. Rows that
    failed are in OUT.failures.jsonl with the reason, and are asked again by the same command.

    Exit code: 0 every row is answered, 1 some failed or nobody answers, 2 a setting is wrong.
    """
    if (endpoint is None) != (model is None):
        raise ConfigError("--endpoint and --model go together.", fix="give both, or neither")
    if output == prompts:
        raise ConfigError(f"OUT {output} is the prompts' own file.", fix="name another file")
    try:
        sampling = Sampling(
            temperature=temperature, top_p=top_p, top_k=top_k, max_tokens=max_tokens, seed=seed
        )
        key = WithApiKey(api_key_env=api_key_env, api_key_file=api_key_file)
    except ValidationError as error:
        raise ConfigError("; ".join(describe_errors(Sampling, error))) from None
    ask = Ask(n=n, sampling=sampling)
    options = describe(ask, model or _SERVICE, strip_think=strip_think)
    rows = PromptFile(prompts, options, prompt_column, id_column, reference_column)
    execute(
        Generation(
            rows, output, ask, endpoint, model, key, strip_think, concurrency, timeout_s, as_json
        )
    )
