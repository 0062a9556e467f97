"""A run from start to summary: evaluate, train, evaluate. Each phase is skipped when it is done."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import nullcontext

from plaudit.errors import PlauditError, Stalled
from plaudit.telemetry import get_logger
from plaudit_trainer.conductor.admission import admit_forever
from plaudit_trainer.conductor.arrivals import Arrivals
from plaudit_trainer.conductor.context import Context
from plaudit_trainer.conductor.discriminator.freezer import Freezer
from plaudit_trainer.conductor.discriminator.teacher import Teacher
from plaudit_trainer.conductor.evaluation import EvalScorers, Evaluation, choose_rows
from plaudit_trainer.conductor.scoring import GroupScorer
from plaudit_trainer.conductor.summary import summarise
from plaudit_trainer.conductor.tasks import run_beside
from plaudit_trainer.conductor.watch import (
    PolicyWatch,
    StallWatch,
    write_events,
    write_events_forever,
)
from plaudit_trainer.data import Row

_POLL_S = 0.1

log = get_logger(__name__)


class Lifecycle:
    """Runs the conductor's loops until the learner is through, then closes the ledger."""

    def __init__(
        self,
        context: Context,
        policy: PolicyWatch,
        scorer: GroupScorer,
        eval_scorers: EvalScorers,
        eval_rows: Sequence[Row],
        teacher: Teacher | None = None,
        freezer: Freezer | None = None,
    ) -> None:
        """`teacher` and `freezer` of a discriminator that learns meanwhile."""
        self._context = context
        self._policy = policy
        self._scorer = scorer
        self._eval_scorers = eval_scorers
        self._eval_rows = choose_rows(eval_rows, context.recipe.eval)
        self._teacher = teacher
        self._freezer = freezer

    async def run(self) -> None:
        """Ends with the run finished; a failure is recorded in the ledger and raised."""
        ledger = self._context.ledger
        if (await ledger.progress()).get("state") == "finished":
            return
        await ledger.clear_failure()
        await ledger.set_progress(state="starting")
        loops = [self._policy.run, StallWatch(self._context).run]
        try:
            await run_beside(self._phases, [*loops, self._events])
        except PlauditError as error:
            await ledger.fail(error)
            await ledger.set_progress(state="failed")
            raise

    async def _phases(self) -> None:
        ledger = self._context.ledger
        await self._until(lambda: self._context.served_step is not None)
        await self._evaluate("before")
        await ledger.set_progress(state="training")
        arrivals = Arrivals(self._context, self._scorer, self._teacher)
        loops = [arrivals.run, lambda: admit_forever(self._context)]
        loops += [] if self._teacher is None else [self._teacher.run]
        await run_beside(self._learner_done, loops)
        await self._drop_leftovers()
        final_step = self._context.recipe.budget.steps
        await self._until(lambda: (self._context.served_step or 0) >= final_step)
        if final_step:
            await self._evaluate("after")
        await write_events(self._context)
        summary = summarise(self._context.run_dir, await ledger.counts())
        self._context.run_dir.write_json("summary.json", summary.model_dump())
        await ledger.set_progress(state="finished")
        log.info("run_finished", ledger=summary.ledger.model_dump())

    async def _evaluate(self, name: str) -> None:
        context = self._context
        file_name = f"eval_{name}.json"
        if not self._eval_rows or context.run_dir.read_json(file_name) is not None:
            return
        await context.ledger.set_progress(state="evaluating")
        async with nullcontext() if self._freezer is None else self._freezer.held():
            result = await Evaluation(context, self._eval_scorers, self._eval_rows, name).run()
        context.run_dir.write_json(file_name, result)
        await context.ledger.set_progress(accuracy=result["accuracy"])

    async def _learner_done(self) -> None:
        while True:
            progress = await self._context.ledger.progress()
            if progress.get("failure"):
                raise Stalled(str(progress["failure"]))
            if progress.get("learner") == "finished":
                return
            await asyncio.sleep(_POLL_S)

    async def _drop_leftovers(self) -> None:
        """Groups still on their way when the last step is trained have nobody to train them."""
        ledger = self._context.ledger
        left = [*(await ledger.admitted()), *(await ledger.ready_ids())]
        if left:
            await ledger.drop(left, "run_over", try_again=False)

    async def _events(self) -> None:
        await write_events_forever(self._context)

    async def _until(self, condition: Callable[[], bool]) -> None:
        """StallWatch bounds this wait."""
        while not condition():
            await asyncio.sleep(_POLL_S)
