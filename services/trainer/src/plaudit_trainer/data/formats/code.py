"""Python problems with tests: HumanEval and MBPP, for the reward `unit_tests`."""

import re

from plaudit.schemas.recipe import DataRecipe
from plaudit_trainer.data.formats.convert import Dropped, row, user
from plaudit_trainer.data.prompts.templates import render_shipped
from plaudit_trainer.data.record import Record
from plaudit_trainer.data.row import Row

_CALLED = re.compile(r"assert\s+\(*([A-Za-z_][A-Za-z0-9_]*)\s*\(")


def humaneval_row(record: Record, recipe: DataRecipe) -> Row | Dropped:
    """Columns task_id, prompt, test, entry_point."""
    names = ("prompt", "test", "entry_point")
    reference = {name: record.text(name) for name in names}
    text = render_shipped("prompt/humaneval", record.place, reference)
    return row(_with_task_id(record), "code", user(text), reference)


def mbpp_row(record: Record, recipe: DataRecipe) -> Row | Dropped:
    """Columns task_id, text (or prompt), test_list, test_setup_code (or test_imports)."""
    task = record.text("text" if "text" in record.values else "prompt")
    tests = record.column("test_list")
    if not isinstance(tests, list) or not all(isinstance(one, str) for one in tests):
        record.refuse("test_list", "not a list of texts")
    called = _CALLED.search("\n".join(tests))
    if called is None:
        return Dropped("no_function_called")
    setup = record.values.get("test_setup_code") or record.values.get("test_imports") or ""
    lines = [setup] if isinstance(setup, str) else [str(one) for one in setup]
    reference = {"test": "\n".join([*lines, *tests]).strip(), "entry_point": called[1]}
    text = render_shipped("prompt/mbpp", record.place, {"task": task, "tests": tests})
    return row(_with_task_id(record), "code", user(text), reference)


def _with_task_id(record: Record) -> Record:
    values = {"id": record.column("task_id")} | record.values
    return Record(record.place, values, record.data_format)
