"""What makes two questions the same: under which key a verdict is remembered."""

from collections.abc import Sequence
from dataclasses import dataclass

from plaudit_judge.chance import digest
from plaudit_judge.judges.base import Case, ScoreCase, SpecBase
from plaudit_judge.judges.claude_batch_spec import BatchSpec
from plaudit_judge.judges.policy import PolicySeen, PolicyWatch

_HOW_IT_RUNS = set(BatchSpec.model_fields)
"""Limits, times, keys and batches: they do not change what a judge says."""


@dataclass(frozen=True)
class QuestionKey:
    digest: str
    policy_version: int | None = None
    """The one that is asked; a verdict of another one does not belong under this key."""


class CacheKeys:
    """Of one judge. An edited table of it, or of one of its members, is another judge."""

    def __init__(
        self,
        judge: str,
        spec: SpecBase,
        members: Sequence[SpecBase] = (),
        policy: PolicyWatch | None = None,
    ) -> None:
        """`members` of a jury; `policy` where the judge or a member is the policy itself."""
        self._asked = members or [spec]
        self._policy = policy
        tables = [one.model_dump_json(exclude=_HOW_IT_RUNS) for one in (spec, *members)]
        self._judge = [judge, str(len(tables)), *tables]

    async def of(self, case: Case | ScoreCase) -> QuestionKey | None:
        """None: it is not known which policy version would judge."""
        seen = await self._policy.current() if self._policy else PolicySeen()
        if self._policy is not None and seen.version is None:
            return None
        parts = [*self._judge, seen.cache_salt or "", *self._how(case), *_shown(case)]
        return QuestionKey(digest(*parts), seen.version)

    def _how(self, case: Case | ScoreCase) -> list[str]:
        """The hash of a rubric has its temperature and max_tokens in it."""
        reads = any(spec.reads_rubric for spec in self._asked)
        draws = any(spec.draws(case.rubric) for spec in self._asked)
        return [case.rubric.sha256 if reads else "", str(case.seed) if draws else ""]


def _shown(case: Case | ScoreCase) -> list[str]:
    """In the order shown. The prompt ends where no role follows, so that no two cases are one."""
    if isinstance(case, Case):
        asked = ["compare", case.first, case.second]
    else:
        asked = ["grade", *case.responses]
    reference = ["reference", case.reference] if case.reference is not None else ["none"]
    prompt = [part for message in case.prompt for part in (message.role, message.content)]
    return [*reference, *prompt, *asked]
