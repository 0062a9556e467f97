"""Judges that need no endpoint, and juries of them."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from plaudit.errors import Rejected, Unavailable
from plaudit.schemas.common import Message
from plaudit.schemas.judge import JudgeInfo
from plaudit_judge.judges.base import Case, ComparesOnly, Opinion, Reply
from plaudit_judge.judges.human import pair_key
from plaudit_judge.judges.jury import Jury, combine, disagreement
from plaudit_judge.judges.jury_spec import JurySpec
from plaudit_judge.judges.make import describe_judge, make_judge
from plaudit_judge.parse import Seat
from plaudit_judge.rubric_files import load_rubrics
from plaudit_judge.settings import JudgeSettings

PROMPT = [Message(role="user", content="p")]


def settings(**judges: dict[str, Any]) -> JudgeSettings:
    return JudgeSettings.model_validate({"judges": judges})


def case(first: str, second: str, reference: str | None = None) -> Case:
    return Case(PROMPT, first, second, reference, load_rubrics()["sr_r1"], seed=0)


@pytest.mark.parametrize(
    ("rule", "reference", "seat"),
    [
        ("longer", None, "A"),
        ("shorter", None, "B"),
        ("exact_match", "is 5 .", "tie"),
        ("exact_match", " 5\n", "B"),
        ("exact_match", None, None),
    ],
)
async def test_a_rule_decides(rule: str, reference: str | None, seat: Seat | None) -> None:
    judge = make_judge(settings(r={"kind": "rule", "rule": rule}), "r")
    assert (await judge.compare(case("it is 5", "5", reference), 1.0)).seat == seat


async def test_people_have_decided_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "verdicts.jsonl"
    lines: list[dict[str, str]] = [
        {"key": pair_key("p", "x", "y"), "winner": "a"},
        {"prompt": "p", "a": "x", "b": "z", "winner": "tie"},
    ]
    path.write_text("\n".join(json.dumps(line) for line in lines))
    judge = make_judge(settings(h={"kind": "human", "path": str(path)}), "h")
    seats = [(await judge.compare(case(*pair), 1.0)).seat for pair in ("xy", "yx", "zx", "yz")]
    assert seats == ["A", "B", "tie", None]


@pytest.mark.parametrize(
    "text",
    [None, "{", '{"winner": "c", "key": "' + "0" * 64 + '"}', '{"winner": "a"}'],
    ids=["no file", "no json", "no winner", "no pair"],
)
async def test_a_file_that_is_wrong_makes_its_judge_unavailable(
    tmp_path: Path, text: str | None
) -> None:
    path = tmp_path / "verdicts.jsonl"
    if text is not None:
        path.write_text("\n" + text)
    info = await describe_judge(settings(h={"kind": "human", "path": str(path)}), "h")
    assert not info.available
    assert ("verdicts.jsonl:2" if text else "cannot be read") in (info.reason or "")


def spec(combine: str, quorum: int | None = None, weights: list[float] | None = None) -> JurySpec:
    return JurySpec.model_validate(
        {"judges": ["x", "y", "z"], "combine": combine, "quorum": quorum, "weights": weights}
    )


@pytest.mark.parametrize(
    ("how", "seats", "seat"),
    [
        (spec("majority"), ["A", "A", "B"], "A"),
        (spec("majority"), ["A", "B", "tie"], "tie"),
        (spec("majority"), ["tie", "tie", "A"], "tie"),
        (spec("majority"), ["A", "A", None], "A"),
        (spec("majority"), ["A", None, None], None),
        (spec("majority", quorum=1), ["A", None, None], "A"),
        (spec("majority", quorum=3), ["A", "A", None], None),
        (spec("mean"), ["tie", "tie", "A"], "A"),
        (spec("mean"), ["A", "B", "tie"], "tie"),
        (spec("median"), ["tie", "tie", "A"], "tie"),
        (spec("median"), ["B", "B", "A"], "B"),
        (spec("weighted", weights=[3.0, 1.0, 1.0]), ["A", "B", "B"], "A"),
        (spec("weighted", weights=[2.0, 1.0, 1.0]), ["A", "B", "B"], "tie"),
        (spec("weighted", weights=[1.0, 0.0, 0.0]), [None, "B", "B"], None),
    ],
)
def test_a_jury_decides(how: JurySpec, seats: list[Seat | None], seat: Seat | None) -> None:
    assert combine(seats, how) == seat


def test_disagreement_is_the_share_that_is_not_of_the_most_frequent_opinion() -> None:
    assert disagreement(["A", "A", "A", None]) == 0.0
    assert disagreement(["A", "A", "B", "tie"]) == 0.5
    assert disagreement([None]) is None


class Stated(ComparesOnly):
    """A member that says what it is told to, or raises it."""

    reads_rubric = True
    is_symmetric = True

    def __init__(self, name: str, says: Seat | Exception | None) -> None:
        self.name = name
        self._says = says

    async def compare(self, case: Case, timeout_s: float) -> Opinion:
        if isinstance(self._says, Exception):
            raise self._says
        return Opinion(self._says, Reply("x", prompt_tokens=2))

    async def info(self) -> JudgeInfo:
        return JudgeInfo(name=self.name, kind="rule", available=True)

    async def aclose(self) -> None:
        pass


def jury(*says: Seat | Exception | None) -> Jury:
    members = [Stated(name, said) for name, said in zip("xyz", says, strict=True)]
    return Jury("jury", spec("majority"), members)


async def test_a_member_that_is_away_is_named_and_has_no_say() -> None:
    opinion = await jury("A", Unavailable("down"), "A").compare(case("1", "2"), 5.0)
    assert (opinion.seat, opinion.calls, opinion.reply.prompt_tokens) == ("A", 2, 4)
    assert [(one.judge, one.winner, one.reason) for one in opinion.panel] == [
        ("x", "a", None),
        ("y", None, "down"),
        ("z", "a", None),
    ]


async def test_without_its_quorum_a_jury_fails_instead_of_deciding() -> None:
    with pytest.raises(Unavailable, match="1 of 3 members answered, quorum is 2: down"):
        await jury("A", Unavailable("down"), Rejected("too long")).compare(case("1", "2"), 5.0)
    with pytest.raises(Rejected, match="too long"):
        refusals = (Rejected("too long"), Rejected("too long"))
        await jury("A", *refusals).compare(case("1", "2"), 5.0)
    assert (await jury("A", None, None).compare(case("1", "2"), 5.0)).seat is None


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"judges": ["r", "r"]}, "named twice"),
        ({"judges": ["r", "nobody"]}, "there is no 'nobody'"),
        ({"judges": ["r", "j"]}, "is a jury itself"),
        ({"judges": ["r", "self"], "quorum": 3}, "quorum: 3 of 2"),
        ({"judges": ["r", "self"], "weights": [1, 1]}, "combine = 'weighted'"),
        ({"judges": ["r", "self"], "combine": "weighted"}, "needs them"),
        ({"judges": ["r", "self"], "combine": "weighted", "weights": [1]}, "1 for 2 judges"),
        ({"judges": ["r", "self"], "combine": "weighted", "weights": [0, 0]}, "not all 0"),
    ],
)
def test_a_jury_that_makes_no_sense_is_refused(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        settings(r={"kind": "rule", "rule": "longer"}, j={"kind": "jury", **fields})


async def test_a_jury_that_lacks_a_members_key_is_unavailable_with_its_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    keyed = {
        "kind": "openai",
        "base_url": "http://x/v1",
        "model": "m",
        "api_key_env": "NO_SUCH_KEY",
    }
    found = settings(k=keyed, j={"kind": "jury", "judges": ["k", "self"]})
    info = await describe_judge(found, "j")
    assert (info.kind, info.available) == ("jury", False)
    assert "'k'" in (info.reason or "")
    assert "NO_SUCH_KEY" in (info.reason or "")
