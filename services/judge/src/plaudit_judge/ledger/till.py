"""The worker's side of budgets."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from plaudit.errors import PlauditError
from plaudit_judge.ledger.budgets import Budgets
from plaudit_judge.ledger.estimate import JudgedRequest
from plaudit_judge.ledger.ledger import Ledger


class Till:
    def __init__(self, budgets: Budgets, ledger: Ledger) -> None:
        self._budgets = budgets
        self._ledger = ledger

    @asynccontextmanager
    async def open_for(
        self, job_id: str, request: JudgedRequest, caller: str | None
    ) -> AsyncIterator[None]:
        """Around judging what the API admitted. Cancelled, it stays held: another worker goes on.

        Raises:
            BudgetExceeded: it is not held any more, after an hour in the queue, and there is no
                room for it.
        """
        hold = self._budgets.hold_for(job_id, request, caller)
        if hold is None:
            yield
            return
        await self._budgets.take(hold)
        try:
            yield
        except PlauditError:
            self._ledger.let_go(hold)
            raise
        self._ledger.let_go(hold)
