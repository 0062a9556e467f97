"""Groups that a learner cannot learn from."""

from plaudit.schemas.run import ReadyGroup


def with_impossible_logprobs(group: ReadyGroup) -> ReadyGroup:
    """From which the ratio to the learner's is infinite."""
    completions = [
        one.model_copy(update={"logprobs": [-1e30] * len(one.logprobs)})
        for one in group.rollout.completions
    ]
    rollout = group.rollout.model_copy(update={"completions": completions})
    return group.model_copy(update={"rollout": rollout})
