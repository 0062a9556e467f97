"""`plaudit data show` with the real trainer behind it."""

import json
import os
import subprocess
import sys
from pathlib import Path

from plaudit_trainer.seed.tokenizer import make_tokenizer

PLAUDIT = Path(sys.executable).parent / "plaudit"
RECIPE = """
name = "mine"
[model]
path = "model"
max_model_tokens = 128
[data]
train = "rows.jsonl"
format = "messages"
prompt_template = "q.jinja"
max_rows = 1
[method]
name = "sft"
"""


def show(directory, *arguments, **env):
    own = {"PLAUDIT_STATE_DIR": str(directory), "PLAUDIT_CACHE_DIR": str(directory)}
    return subprocess.run(
        [str(PLAUDIT), "data", "show", str(directory / "mine.toml"), *arguments],
        env={**os.environ, **own, **env},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_rows_are_shown_as_the_model_sees_them_and_hostile_text_is_only_text(tmp_path):
    make_tokenizer(["x"], vocabulary_size=300).save_pretrained(tmp_path / "model")
    (tmp_path / "model" / "config.json").write_text('{"model_type": "qwen2"}')
    (tmp_path / "mine.toml").write_text(RECIPE)
    (tmp_path / "q.jinja").write_text("Q: {{ prompt }}")
    hostile = "\x1b[2J[red]1+1?"
    messages = [{"role": "user", "content": hostile}, {"role": "assistant", "content": "2"}]
    row = json.dumps({"messages": messages}) + "\n"
    (tmp_path / "rows.jsonl").write_text(row * 3)
    done = show(tmp_path, "--set", 'data.eval=""')
    assert done.returncode == 0, done.stderr
    assert "<|user|>Q: [red]1+1?<|end|><|assistant|>«2<|end|>»" in done.stdout
    assert "\x1b" not in done.stdout
    assert "1 rows for train; 0 shortened; dropped: none" in done.stdout


def test_a_wrong_setting_is_told_at_once_with_exit_code_2(tmp_path):
    (tmp_path / "mine.toml").write_text(RECIPE)
    done = show(tmp_path)
    assert done.returncode == 2
    assert "data.train = 'rows.jsonl': no such file" in done.stderr
