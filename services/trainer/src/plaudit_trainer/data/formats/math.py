"""Mathematics with a final answer: GSM8K and OpenR1-Math."""

from plaudit.schemas.common import Message
from plaudit.schemas.examples import Conversation
from plaudit.schemas.recipe import DataRecipe
from plaudit_trainer.data.formats.convert import Dropped, make, row, user
from plaudit_trainer.data.record import Record
from plaudit_trainer.data.row import Row


def gsm8k_row(record: Record, recipe: DataRecipe) -> Row | Dropped:
    """Columns question, answer: the gold answer follows ####."""
    question, answer = record.text("question"), record.text("answer")
    _, mark, gold = answer.rpartition("####")
    if not mark:
        record.refuse("'answer'", "no final answer after '####'")
    gold = gold.strip().replace(",", "").replace("$", "")
    return row(record, "math", user(question), {"answer": gold})


def gsm8k_conversation(record: Record, recipe: DataRecipe) -> Conversation | Dropped:
    """The worked solution, with its calculator annotations as they are."""
    return _conversation(record, record.text("question"), record.text("answer"))


def openr1_row(record: Record, recipe: DataRecipe) -> Row | Dropped:
    """Columns of open-r1/OpenR1-Math-220k: problem, answer."""
    answer = record.column("answer")
    if not isinstance(answer, str) or not answer.strip():
        return Dropped("no_answer")
    return row(record, "math", user(record.text("problem")), {"answer": answer})


def openr1_conversation(record: Record, recipe: DataRecipe) -> Conversation | Dropped:
    """The first of `generations` that is complete and that math_verify found correct."""
    problem, generations = record.text("problem"), record.column("generations") or []
    correct = record.column("correctness_math_verify") or []
    complete = record.values.get("is_reasoning_complete") or [True] * len(generations)
    for text, is_correct, is_complete in zip(generations, correct, complete, strict=False):
        if is_correct and is_complete:
            return _conversation(record, problem, text)
    return Dropped("no_correct_generation")


def _conversation(record: Record, question: str, answer: str) -> Conversation:
    messages = [*user(question), Message(role="assistant", content=answer)]
    return make(Conversation, record, messages=messages)
