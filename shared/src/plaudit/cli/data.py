"""`plaudit data show`: what a model will really see of a recipe's data."""

import asyncio
import json
import tempfile
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.table import Table
from rich.text import Text

from plaudit.cli.output import out, plain, print_json
from plaudit.config.recipe import dump_recipe
from plaudit.local.environment import Environment
from plaudit.local.interrupts import Interrupts
from plaudit.local.logs import printable
from plaudit.local.recipes import read_any_recipe, resolve_seed
from plaudit.local.tool import run_tool
from plaudit.schemas.recipe import RunRecipe

_LEARNED = "green underline"

app = typer.Typer(help="Look at a recipe's data.", no_args_is_help=True)


@app.callback()
def data() -> None:
    """Look at a recipe's data."""


@app.command()
def show(
    recipe: Annotated[str, typer.Argument(help="A TOML file, or a shipped recipe.")],
    rows: Annotated[int, typer.Option(min=0, max=1000, help="How many rows to show.")] = 3,
    split: Annotated[Literal["train", "eval"], typer.Option(help="Which rows.")] = "train",
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="A.B=C", help="Change one setting; may be repeated."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="JSON for scripts, with token ids.")
    ] = False,
) -> None:
    """Print rows as the model sees them, and what became of all rows that were read.

    The text is that of the model's chat template. What is learned of an example is green and
    underlined, or between « and » where there are no colours; what a reward model reads, and the
    prompt of a rollout, is plain.
    """
    read = read_any_recipe(recipe, overrides or [])
    found = asyncio.run(_found(read, split, rows))
    if as_json:
        print_json(found)
        return
    for row in found["rows"]:
        _print_row(row, found["max_tokens"])
    _print_counts(found["counts"], split)


async def _found(recipe: RunRecipe, split: str, rows: int) -> dict[str, Any]:
    """What `plaudit-trainer data` writes: the trainer has the tokenizer."""
    interrupts, environment = Interrupts(), Environment()
    recipe = await resolve_seed(recipe, environment, interrupts, _ignore)
    with tempfile.TemporaryDirectory(prefix="plaudit-data-") as directory:
        path, result = Path(directory) / "recipe.toml", Path(directory) / "data.json"
        path.write_text(dump_recipe(recipe), encoding="utf-8")
        options = ("--recipe", str(path), "--out", str(result), "--split", split)
        argv = environment.command("trainer", "data", *options, "--rows", str(rows))
        await run_tool("data", argv, interrupts, log_dir=environment.cache_dir / "logs")
        found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    return found


def _print_row(row: dict[str, Any], max_tokens: int) -> None:
    facts = {name: row[name] for name in ("kind", "label", "margin") if row.get(name) is not None}
    told = "".join(f", {name} {value}" for name, value in facts.items())
    out.print(Text(f"row {printable(str(row['id']))}{printable(told)}", style="bold"))
    for sequence in row["sequences"]:
        num_tokens, learned = sequence["num_tokens"], sequence["num_learned"]
        counted = f"{num_tokens} tokens of at most {max_tokens}, {learned} learned"
        out.print(Text(f"--- {sequence['name']}: {counted}", style="dim"))
        out.print(_text(sequence["pieces"]))
    if row.get("reference"):
        reference = json.dumps(row["reference"], ensure_ascii=False)
        out.print(Text(f"--- reference: {printable(reference)}", style="dim"))
    out.print()


def _text(pieces: list[dict[str, Any]]) -> Text:
    """Rows are hostile: without their control characters, and not read as markup."""
    text = Text()
    for piece in pieces:
        shown = printable(piece["text"])
        if not piece["learned"]:
            text.append(shown)
        else:
            text.append(shown if out.is_terminal else f"«{shown}»", style=_LEARNED)
    return text


def _print_counts(counts: dict[str, Any], split: str) -> None:
    table = Table("source", "read", "kept", box=None)
    for source in counts["sources"]:
        table.add_row(plain(source["name"]), str(source["read"]), str(source["kept"]))
    out.print(table)
    dropped = ", ".join(f"{plain(why)} {n}" for why, n in counts["dropped"].items()) or "none"
    out.print(
        f"{counts['rows']} rows for {split}; {counts['truncated']} shortened; dropped: {dropped}"
    )
    for one in counts["first_dropped"]:
        out.print(Text(printable(f"  {one['reason']}: {one['place']}"), style="dim"))


def _ignore(name: str, line: str) -> None:
    """The tool's log file has the line."""
