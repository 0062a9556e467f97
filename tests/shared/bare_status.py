"""A status of which only what must be there is there."""

from plaudit.schemas.run import Ledger, RunStatus

BARE_STATUS = RunStatus(
    run_id="demo-1",
    state="training",
    step=1,
    max_steps=2,
    policy_version=None,
    stages=[],
    ledger=Ledger(admitted=0, trained=0, dropped={}, in_flight=0),
    groups_per_s=None,
    tokens_per_s=None,
    reward=None,
    accuracy=None,
    staleness_mean=None,
    replicas=[],
    oldest_group_age_s=None,
    waiting=[],
)
