"""What one process notes, the other reads."""

from plaudit_reward.verifier.noted import MAX_BATCH, Answer, Noted, empty_notes


def test_verdicts_are_there_in_order_and_none_before_it_is_noted() -> None:
    with empty_notes() as file:
        writer, reader = Noted(file), Noted(file)
    assert reader.verdicts() == []
    answers: list[Answer] = [1.0, 0.0, "no reference", 1.0]
    for index, answer in enumerate(answers):
        writer.note(index, answer)
    assert reader.verdicts() == [1.0, 0.0, None, 1.0]


def test_there_is_room_for_a_batch_and_none_is_left_for_the_next() -> None:
    with empty_notes() as file:
        noted = Noted(file)
    for index in range(MAX_BATCH):
        noted.note(index, 1.0)
    assert noted.verdicts() == [1.0] * MAX_BATCH
    noted.clear()
    assert noted.verdicts() == []
