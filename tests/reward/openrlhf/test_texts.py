"""Where a completion begins and ends in OpenRLHF's texts, and how such texts are made."""

import time
from typing import Any

import pytest
from pydantic import ValidationError

from plaudit.schemas.common import Message
from plaudit_reward.openrlhf.spec import STOP_TEXTS, RemoteSpec
from plaudit_reward.openrlhf.texts import completion_in, query_of

CHATML = {
    "message_format": "<|im_start|>{role}\n{content}<|im_end|>\n",
    "completion_format": "<|im_start|>assistant\n{content}<|im_end|>\n",
}


@pytest.mark.parametrize(
    ("query", "prompt", "completion"),
    [
        ("2 + 3? 5", "2 + 3?", " 5"),
        ("<s> 2 + 3? 5</s>", "2 + 3?", " 5"),
        ("2 + 3? 2 + 3? is 5", "2 + 3?", " 2 + 3? is 5"),
        ("2 + 3? 5<|im_end|><|endoftext|>", "2 + 3?", " 5"),
        ("2 + 3?<|im_end|>", "2 + 3?<|im_end|>", ""),
        ("5 </s> 6", "", "5 </s> 6"),
        ("5", None, "5"),
        ("+ 3? 5", "2 + 3?", None),
        ("", "2", None),
    ],
)
def test_the_completion_is_what_follows_the_prompt_up_to_the_stop_tokens(
    query: str, prompt: str | None, completion: str | None
) -> None:
    assert completion_in(query, prompt, STOP_TEXTS) == completion


def test_a_text_of_nothing_but_stop_tokens_is_cut_in_no_time() -> None:
    started = time.process_time()
    assert completion_in("</s>" * 250_000, None, STOP_TEXTS) == ""
    assert time.process_time() - started < 10


def test_a_conversation_is_written_as_the_remote_was_trained() -> None:
    prompt = [Message(role="system", content="Add {them}."), Message(role="user", content="2, 3")]
    spec = RemoteSpec(urls=["http://x/get_reward"], **CHATML)
    before = (
        "<|im_start|>system\nAdd {them}.<|im_end|>\n<|im_start|>user\n2, 3<|im_end|>\n"
        "<|im_start|>assistant\n"
    )
    assert query_of(spec, prompt, "{5}") == (before, before + "{5}<|im_end|>\n")
    plain = RemoteSpec(urls=["http://x/get_reward"])
    assert query_of(plain, prompt, "5") == ("Add {them}.\n2, 3\n", "Add {them}.\n2, 3\n5")
    braces = RemoteSpec(urls=["http://x"], completion_format="{{{content}}}")
    assert query_of(braces, [], "5") == ("{", "{5}")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("urls", [], "at least 1 item"),
        ("urls", ["10.0.0.5:5000"], "is no URL"),
        ("message_format", "{role}", "must have {content}"),
        ("message_format", "{content} {name}", "may have ['content', 'role']"),
        ("message_format", "{content.__class__}", "must have {content}"),
        ("message_format", "{content} }", "write a brace twice"),
        ("completion_format", "nothing", "must have {content} once"),
        ("completion_format", "{content}{content}", "must have {content} once"),
    ],
)
def test_a_wrong_table_is_refused(field: str, value: Any, message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        RemoteSpec(**{"urls": ["http://x"], field: value})
    assert message in str(caught.value)
