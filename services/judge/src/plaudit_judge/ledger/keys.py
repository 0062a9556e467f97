"""Where the ledger's data lies in Redis. No caller's name has a colon."""

PREFIX = "plaudit:judge:ledger"
CALLERS = f"{PREFIX}:callers"
"""Set of all that were ever seen; "" is that of plain keys."""


def verdicts(caller: str, run_id: str) -> str:
    """Stream; `run_id` "" is for requests without one."""
    return f"{PREFIX}:verdicts:{caller}:{run_id}"


def verdict_runs(caller: str) -> str:
    """Sorted set: when something was last stored of each run."""
    return f"{PREFIX}:verdict-runs:{caller}"


def run_costs(caller: str, run_id: str) -> str:
    """Hash."""
    return f"{PREFIX}:run-costs:{caller}:{run_id}"


def cost_runs(caller: str) -> str:
    """Sorted set, as of the verdicts."""
    return f"{PREFIX}:cost-runs:{caller}"


def caller_costs(caller: str) -> str:
    """Hash, over all runs of the caller."""
    return f"{PREFIX}:caller-costs:{caller}"


def holds(costs: str) -> str:
    """Sorted set: what was admitted under the budget that `costs` counts, and until when."""
    return f"{PREFIX}:holds:{costs}"


def held(costs: str) -> str:
    """The sum of these."""
    return f"{PREFIX}:held:{costs}"
