"""The ledger: where every group of a run is, kept in Redis, changed only by atomic scripts.

    admitted -> ready -> trained(step) -> gone once a checkpoint holds the step
         \\         \\-> dropped(reason)
          \\-> dropped(reason)

At every moment admitted == trained + dropped + in flight.
"""

from plaudit_trainer.ledger.conductor_side import ConductorLedger, GroupEvent
from plaudit_trainer.ledger.group_id import GroupId
from plaudit_trainer.ledger.learner_side import LearnerLedger

__all__ = ["ConductorLedger", "GroupEvent", "GroupId", "LearnerLedger"]
