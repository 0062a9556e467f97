"""`plaudit-trainer check`: what of a recipe needs its files to be found wrong."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from plaudit.config import dump_recipe
from plaudit.errors import ConfigError
from plaudit.schemas.recipe import Recipe
from plaudit_trainer.check import check_recipe
from plaudit_trainer.seed.tokenizer import make_tokenizer

PROGRAM = Path(sys.executable).parent / "plaudit-trainer"


@pytest.fixture(scope="session")
def model_dir(tmp_path_factory):
    """A configuration and a tokenizer are all that is looked at."""
    from transformers import Qwen2Config

    path = tmp_path_factory.mktemp("model")
    make_tokenizer(["What is 1+1? 2"], vocabulary_size=300).save_pretrained(path)
    Qwen2Config(max_position_embeddings=512, vocab_size=300).save_pretrained(path)
    return path


def row(number, kind="math", content="1+1?", **message):
    prompt = [{"role": "user", "content": content} | message]
    return {"id": str(number), "kind": kind, "prompt": prompt, "reference": {"answer": "2"}}


@pytest.fixture
def make_recipe(tmp_path, model_dir):
    """`make_recipe([row(1)], judge={})`: a recipe for these rows; keywords replace parts."""

    def make(rows, eval_rows=None, **parts):
        data = {"train": write(tmp_path / "train.jsonl", rows), "eval": None}
        if eval_rows is not None:
            data["eval"] = write(tmp_path / "eval.jsonl", eval_rows)
        document = {
            "name": "r",
            "model": {"path": str(model_dir), "max_model_tokens": 128},
            "data": data,
            "rewards": [{"name": "accuracy", "kinds": ["math"]}],
            "method": {"max_completion_tokens": 28},
        }
        return Recipe.model_validate(document | parts)

    return make


def write(path, rows):
    path.write_text("".join(json.dumps(one) + "\n" for one in rows))
    return str(path)


def test_what_was_found_is_told_of_both_files(make_recipe):
    found = check_recipe(make_recipe([row(1), row(2)], [row(1, content="1+1?" * 8)]))
    assert (found["num_train_rows"], found["num_eval_rows"]) == (2, 1)
    assert (
        found["longest_prompt_tokens"]
        > check_recipe(make_recipe([row(1)]))["longest_prompt_tokens"]
    )


def test_the_longest_prompt_of_either_file_must_leave_room_for_the_completion(make_recipe):
    fits = check_recipe(make_recipe([row(1)], [row(2)]))["longest_prompt_tokens"]
    exact = {"path": make_recipe([row(1)]).model.path, "max_model_tokens": fits + 28}
    check_recipe(make_recipe([row(1)], [row(2)], model=exact))
    with pytest.raises(ConfigError, match=rf"leaves {fits} tokens.*row 'long' has {fits + 1}"):
        check_recipe(make_recipe([row(1)], [row("long", content="1+1?~")], model=exact))


def test_a_context_beyond_the_models_own_is_refused(make_recipe, model_dir):
    model = {"path": str(model_dir), "max_model_tokens": 513}
    with pytest.raises(ConfigError, match=r"max_model_tokens = 513.*512 tokens.*512 or less"):
        check_recipe(make_recipe([row(1)], model=model))


def test_a_model_whose_context_is_stretched_is_left_to_the_engine(make_recipe, model_dir, tmp_path):
    stretched = tmp_path / "stretched"
    shutil.copytree(model_dir, stretched)
    config = json.loads((stretched / "config.json").read_text())
    config["rope_parameters"] |= {
        "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 512,
    }  # fmt: skip
    (stretched / "config.json").write_text(json.dumps(config))
    check_recipe(make_recipe([row(1)], model={"path": str(stretched), "max_model_tokens": 1024}))


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"learner": {"num_processes": 3}}, r"learner.num_processes = 3 does not divide the 128"),
        (
            {"model": {"lora": {"rank": 513, "publish": "adapter"}}},
            r"model.lora.rank = 513",
        ),
        (
            {"method": {"loss_type": "vespo", "importance_sampling_level": "sequence"}},
            r"method.importance_sampling_level = 'sequence'",
        ),
    ],
)
def test_what_the_learner_would_refuse_is_refused_before_anything_starts(make_recipe, parts, said):
    with pytest.raises(ConfigError, match=said):
        check_recipe(make_recipe([row(1)], **parts))


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"rewards": [{"name": "accuracy", "kinds": ["maths"]}]}, "rewards.0.kinds .* 'maths'"),
        ({"judge": {"kinds": ["free"]}}, "judge.kinds names the kind 'free'"),
        ({"eval": {"reward_by_kind": {"free": "accuracy"}}}, "eval.reward_by_kind .* 'free'"),
    ],
)
def test_a_kind_that_no_row_has_is_named_with_those_that_are_there(make_recipe, parts, said):
    with pytest.raises(ConfigError, match=rf"{said}.*\['math'\]"):
        check_recipe(make_recipe([row(1)], **parts))


def test_rows_that_nothing_scores_are_refused(make_recipe):
    with pytest.raises(ConfigError, match=r"no reward and no judge scores .* 'free'"):
        check_recipe(make_recipe([row(1), row(2, kind="free")]))
    check_recipe(make_recipe([row(1), row(2, kind="free")], judge={"kinds": ["free"]}))
    check_recipe(make_recipe([row(1), row(2, kind="free")], judge={}))


def test_a_chat_template_that_refuses_a_prompt_names_the_row(make_recipe, model_dir, tmp_path):
    strict = tmp_path / "strict"
    shutil.copytree(model_dir, strict)
    template = "{{ raise_exception('no system role') if messages[0].role == 'system' }}ok"
    (strict / "chat_template.jinja").write_text(template)
    model = {"path": str(strict), "max_model_tokens": 128}
    check_recipe(make_recipe([row(1)], model=model))
    with pytest.raises(ConfigError, match=r"row '2'.*no system role"):
        check_recipe(make_recipe([row(1), row(2, role="system")], model=model))


def test_a_model_without_tokenizer_files_is_named(make_recipe, model_dir, tmp_path):
    bare = tmp_path / "bare"
    bare.mkdir()
    shutil.copy(model_dir / "config.json", bare)
    with pytest.raises(ConfigError, match=r"model.path = .*bare.*chat_template is not set"):
        check_recipe(make_recipe([row(1)], model={"path": str(bare), "max_model_tokens": 128}))


def check_as_a_program(recipe, directory):
    path = directory / "recipe.toml"
    path.write_text(dump_recipe(recipe))
    argv = [str(PROGRAM), "check", "--recipe", str(path)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=100, check=False)


def test_the_program_prints_what_was_found_as_its_last_line(make_recipe, tmp_path):
    done = check_as_a_program(make_recipe([row(1)]), tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["num_train_rows"] == 1


def test_the_program_exits_with_2_and_says_what_to_do(make_recipe, tmp_path):
    done = check_as_a_program(make_recipe([]), tmp_path)
    assert done.returncode == 2
    assert "error: data.train = " in done.stderr and "fix: give data" in done.stderr
    assert "Traceback" not in done.stderr
