"""Data sets and templates are found from the current directory, else beside the recipe."""

import pytest

from plaudit.errors import ConfigError
from plaudit.local.data_paths import with_absolute_paths
from plaudit.schemas.recipe import DataRecipe


@pytest.fixture
def base(tmp_path, monkeypatch):
    """A folder beside the current directory, with a file, a directory and a template."""
    folder = tmp_path / "recipes"
    (folder / "parts").mkdir(parents=True)
    for name in ("rows.parquet", "q.jinja"):
        (folder / name).touch()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return folder


def resolved(base, **data):
    return with_absolute_paths(DataRecipe.model_validate({"eval": None} | data), base)


def test_files_and_directories_become_absolute(base):
    found = resolved(base, train="rows.parquet", eval="parts")
    assert (found.train, found.eval) == (str(base / "rows.parquet"), str(base / "parts"))


def test_sources_of_a_mixture_do_too(base):
    found = resolved(base, sources=[{"path": "rows.parquet"}, {"path": "owner/name"}])
    assert [one.path for one in found.sources] == [str(base / "rows.parquet"), "owner/name"]


def test_the_hub_and_the_seed_stay_as_they_are(base):
    found = resolved(base, train="owner/name", eval="seed")
    assert (found.train, found.eval) == ("owner/name", "seed")


@pytest.mark.parametrize("name", ["owner/name.jsonl", "owner/name.parquet", "nothing", "a/b/c"])
def test_what_is_not_there_and_no_data_set_either_is_named(base, name):
    with pytest.raises(ConfigError, match=rf"data.train = '{name}': no such file"):
        resolved(base, train=name)


def test_the_source_that_is_not_there_is_named_by_its_place(base):
    with pytest.raises(ConfigError, match=r"data.sources.1.path = 'seed': no such file"):
        resolved(base, sources=[{"path": "rows.parquet"}, {"path": "seed"}])


def test_template_files_are_found_and_texts_are_left_alone(base):
    found = resolved(base, train="seed", prompt_template="q.jinja", system_prompt="Be\nq.jinja")
    assert found.prompt_template == str(base / "q.jinja")
    assert found.system_prompt == "Be\nq.jinja"
    with pytest.raises(ConfigError, match=r"data.system_prompt = 'x.jinja': no such file"):
        resolved(base, train="seed", system_prompt="x.jinja")
