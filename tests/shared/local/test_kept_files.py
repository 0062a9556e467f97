"""A run keeps the files that its recipe names, and a resumed one says what has changed."""

from pathlib import Path

from plaudit.local.kept_files import changed_files
from plaudit.local.recipes import read_any_recipe
from plaudit.local.run_dir import create_run

FILES = {
    "mine.py": "def brevity(texts): ...",
    "system.jinja": "Be {{ manner }}.",
    "question.jinja": "Q: {{ prompt }}",
    "zero.json": "{}",
}
ONLINE = """
name = "mine"
[[rewards]]
name = "./mine.py:brevity"
[data]
system_prompt = "system.jinja"
prompt_template = "question.jinja"
[learner]
deepspeed = "zero.json"
"""
OFFLINE = """
name = "mine"
[method]
name = "sft"
[data]
prompt_template = "question.jinja"
"""


def project(directory: Path, recipe: str) -> str:
    for name, text in {**FILES, "recipe.toml": recipe}.items():
        (directory / name).write_text(text)
    return str(directory / "recipe.toml")


def test_rewards_templates_and_a_deepspeed_file_are_kept(tmp_path: Path) -> None:
    recipe = read_any_recipe(project(tmp_path, ONLINE), [])
    run = create_run(tmp_path / "run", recipe, [])
    kept = {path.name[2:]: path.read_text() for path in (run.path / "files").glob("?-*")}
    assert kept == FILES
    assert run.recipe() == recipe
    assert changed_files(run.path) == []


def test_what_has_changed_or_is_gone_is_said(tmp_path: Path) -> None:
    run = create_run(tmp_path / "run", read_any_recipe(project(tmp_path, OFFLINE), []), [])
    template = tmp_path / "question.jinja"
    for change in (lambda: template.write_text("Q {{ prompt }}"), template.unlink):
        change()
        [line] = changed_files(run.path)
        assert f"{template} is not what the run began with" in line
        assert f"{run.path}/files/0-question.jinja" in line


def test_a_run_without_such_files_keeps_none(tmp_path: Path) -> None:
    plain = project(tmp_path, OFFLINE.replace("question.jinja", "Q: {{ prompt }}"))
    run = create_run(tmp_path / "run", read_any_recipe(plain, []), [])
    assert not (run.path / "files").exists()
    assert changed_files(run.path) == []
