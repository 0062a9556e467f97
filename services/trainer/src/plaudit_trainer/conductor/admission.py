"""Admission: as many groups in flight as staleness allows, and none forgotten after a crash."""

from collections.abc import Sequence

from plaudit.errors import Unavailable
from plaudit.schemas.rollout import MAX_GROUPS_PER_REQUEST, RolloutRequest
from plaudit.telemetry import get_logger
from plaudit_trainer.conductor.context import Context
from plaudit_trainer.conductor.selection import PASSED_OVER

_POLL_S = 0.02
_RESUBMIT_S = 5.0

log = get_logger(__name__)


def max_live_groups(context: Context) -> int:
    """Groups that may be trained or in flight in all, AReaL's bound (arXiv 2505.24298, eq. 3).

    A group admitted under it is trained at most `max_staleness` steps after the policy that
    generates it, unless younger groups overtake it.
    """
    if context.served_step is None:
        return 0
    pipeline = context.recipe.pipeline
    steps = min(context.served_step + pipeline.max_staleness + 1, context.recipe.budget.steps)
    return steps * pipeline.groups_per_step


async def admit_forever(context: Context) -> None:
    """Admit whenever there is room; submit again, now and then, what should be in flight."""
    next_resubmission = 0.0
    if context.selection.is_on:
        context.selection.restore(await context.ledger.success_rates())
    while not context.stopping.is_set():
        if context.clock() >= next_resubmission:
            await resubmit(context)
            next_resubmission = context.clock() + _RESUBMIT_S
        admitted = await context.ledger.admit(
            max_live=max_live_groups(context), num_rows=len(context.rows)
        )
        if admitted:
            await submit(context, await _select(context, admitted))
        else:
            await context.pause(_POLL_S)


async def _select(context: Context, admitted: Sequence[str]) -> list[str]:
    """Those whose prompts get their turn; the others are dropped, which makes room for more."""
    chosen = [g for g in admitted if context.selection.takes(g, context.row(g).id)]
    if len(chosen) < len(admitted):
        passed_over = [group for group in admitted if group not in {*chosen}]
        await context.ledger.drop(passed_over, PASSED_OVER, try_again=False)
    return chosen


async def resubmit(context: Context) -> None:
    """Submitting twice is harmless, so whatever is admitted and unscored is submitted again."""
    now = context.clock()
    timeout_s = context.recipe.pipeline.rollout_timeout_s
    admitted = await context.ledger.admitted()
    lost = {group: at for group, at in admitted.items() if group not in context.scoring}
    late = [group for group, at in lost.items() if now - at > timeout_s]
    if late:
        log.warning("rollout_timeout", groups=len(late), timeout_s=timeout_s)
        await context.ledger.drop(late, "rollout_timeout", try_again=True)
    await submit(context, [group for group in lost if group not in late])


async def submit(context: Context, group_ids: Sequence[str]) -> None:
    """Post prompts to the rollout service; on failure they stay admitted and are sent again."""
    for start in range(0, len(group_ids), MAX_GROUPS_PER_REQUEST):
        batch = group_ids[start : start + MAX_GROUPS_PER_REQUEST]
        request = RolloutRequest(
            run_id=context.run_id, groups=[context.rollout_prompt(group) for group in batch]
        )
        try:
            await context.rollout.submit(request)
        except Unavailable as error:
            context.waiting.note("admission", f"the rollout service: {error}")
            return
        context.waiting.clear("admission")
