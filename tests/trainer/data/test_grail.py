"""GRAIL's slates: the prompt of its builder, and what its two rewards read."""

import json
from typing import Any

import pytest

from plaudit.schemas.reward import Answer, RewardGroup
from plaudit_reward.models.discriminator.situation import Situation, expert_action, situation_of
from plaudit_reward.rewards.pure_accuracy import PureAccuracyParams, pure_accuracy
from plaudit_trainer.data import load, load_rows
from plaudit_trainer.data.formats import ROWS

SLATE = [
    {
        "id": "v1", "title": "Guns in  America", "channel_title": "News", "length_seconds": 125.4,
        "view_count": "1000", "comment_count": 7,
    },
    {"id": "v2", "title": "", "channel": None},
    {"id": "v3", "title": "Cats", "length_seconds": "n/a"},
]  # fmt: skip
WATCHED = [
    {"id": f"w{i}", "title": f"Old {i}", "watch_seconds": 10, "total_length": 60} for i in range(5)
]
GRAIL = {
    "viewer_profile": "a 30-year-old", "slate_items_json": json.dumps(SLATE), "next_video_id": "v3",
    "watched_detailed_json": json.dumps([*WATCHED, {"id": "w9", "title": "Now"}]),
    "watched_vids_json": json.dumps([f"w{i}" for i in range(5)] + ["w9"]),
    "current_video_id": "w9", "current_video_title": "Now", "opinion_direction": "increase",
    "issue": "gun_control", "session_id": "s", "step_index": 3,
}  # fmt: skip

PROMPT = """VIEWER a 30-year-old

CURRENTLY WATCHING Now

RECENTLY WATCHED (NEWEST LAST)
Old 3 (watched 10s of 60s)
Old 4 (watched 10s of 60s)

OPTIONS
1. Guns in America (News, 125s long) — Engagement: views 1000, comments 7
2. (untitled) (id v2)
3. Cats

QUESTIONS
1. Which option does the viewer choose next? Give its number.
2. Does their opinion on the issue increase, decrease or stay the same afterwards?"""


@pytest.fixture
def grail(make_recipe, write):
    """`grail(changes, ...)`: the rows of slates with these changes."""

    def make(*changes, **data):
        path = write(*[GRAIL | change for change in changes])
        return load(ROWS, make_recipe(train=path, format="grail", **data), "train")

    return make


def prompt_of(loaded):
    return loaded.rows[0].prompt[-1].content


def test_the_prompt_has_the_sections_of_the_builder(grail):
    assert prompt_of(grail({}, grail={"max_history": 2})) == PROMPT


def test_sections_without_content_say_so_or_are_not_there(grail):
    bare = {"viewer_profile": None, "watched_detailed_json": "[]", "current_video_id": None}
    prompt = prompt_of(grail(bare | {"current_video_title": None}))
    assert prompt.startswith("VIEWER (profile information unavailable)\n\n")
    assert "CURRENTLY WATCHING (nothing)" in prompt
    assert "(no videos watched before)" in prompt
    assert "SURVEY" not in prompt and "Viewpoint" not in prompt


def test_switches_take_sections_away(grail):
    more = {"initial_viewpoint": "in favour", "survey_highlights": "party is x"}
    assert "Initial Viewpoint: in favour\n\n" in prompt_of(grail(more))
    assert "SURVEY HIGHLIGHTS\nparty is x\n\n" in prompt_of(grail(more))
    off = {"viewpoint": False, "survey": False, "questions": False, "max_history": 2}
    assert prompt_of(grail(more, grail=off)) == PROMPT.partition("\n\nQUESTIONS")[0]


def test_no_bound_on_the_history_shows_all_of_it(grail):
    assert "Old 0" in prompt_of(grail({}, grail={"max_history": 0}))


def test_ids_are_shown_on_demand_and_titles_cut(grail):
    prompt = prompt_of(grail({}, grail={"show_ids": True, "max_title_chars": 4}))
    assert "1. Guns (News, 125s long, id v1)" in prompt
    assert "CURRENTLY WATCHING Now (id w9)" in prompt


def test_the_reference_is_what_the_two_rewards_read(grail):
    [row] = grail({}).rows
    assert (row.kind, row.reference["answer"], row.reference["gold_index"]) == ("grail", "3", 3)
    assert (row.reference["n_options"], row.reference["opinion_direction"]) == (3, "increase")
    discriminator = row.reference["discriminator"]
    assert discriminator["options"] == ["Guns in America", "v2", "Cats"]
    assert discriminator["viewer"] == "a 30-year-old"
    assert discriminator["state"].startswith("CURRENTLY WATCHING Now\n\nRECENTLY WATCHED")
    assert "OPTIONS" not in discriminator["state"]


async def test_its_two_rewards_find_the_right_answer_right(grail):
    [row] = grail({}).rows
    right = Answer(text="<answer>3</answer><opinion>increase</opinion>")
    wrong = Answer(text="<answer>2</answer><opinion>decrease</opinion>")
    group = RewardGroup(
        group_id="g", prompt=row.prompt, completions=[right, wrong], reference=row.reference
    )
    no_context: Any = None
    assert await pure_accuracy(group, PureAccuracyParams(), no_context) == [1.0, 0.0]
    situation = situation_of(group)
    assert isinstance(situation, Situation)
    assert expert_action(group, situation) == situation.action_of(right.text) == "Cats"
    assert situation.action_of(wrong.text) == "v2"


def test_the_system_prompt_of_the_source_asks_for_what_the_rewards_parse(grail):
    [system, _] = grail({}, system_prompt="grail").rows[0].prompt
    assert "<think>...</think><answer>NUMBER</answer><opinion>" in system.content


def test_rows_without_a_choice_on_the_slate_are_dropped_with_the_reason(grail):
    changes = [
        {"slate_items_json": "[]"},
        {"slate_items_json": "no json"},
        {"next_video_id": None},
        {"next_video_id": "v7"},
        {"__drop__": True},
        {},
    ]
    loaded = grail(*changes)
    assert len(loaded.rows) == 1
    assert loaded.counts.dropped.by_reason == {
        "no_slate": 2, "no_gold_id": 1, "gold_not_on_slate": 1, "marked": 1,
    }  # fmt: skip


def test_the_cleaned_form_with_lists_is_read_too(grail):
    cleaned = {"slate_items": SLATE, "slate_items_json": None, "gold_id": "v1"}
    assert grail(cleaned).rows[0].reference["gold_index"] == 1


def test_a_slate_is_a_prompt_for_rollouts_only(make_recipe, write):
    assert load_rows(make_recipe(train=write(GRAIL), format="grail"))[0].id == "1"
