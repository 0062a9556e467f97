"""What can be asked of the judge service, line by line of a file."""

from dataclasses import dataclass

from plaudit.schemas.judge import (
    JudgedRequest,
    PairwiseRequest,
    PairwiseResponse,
    TournamentRequest,
    TournamentResponse,
)
from plaudit.schemas.judge_reward import JudgeRewardRequest, JudgeRewardResponse
from plaudit.schemas.judge_scores import (
    ListwiseRequest,
    ListwiseResponse,
    PointwiseRequest,
    PointwiseResponse,
)

Response = (
    PairwiseResponse
    | PointwiseResponse
    | ListwiseResponse
    | TournamentResponse
    | JudgeRewardResponse
)


@dataclass(frozen=True)
class Verb:
    """`POST /v1/<name>`, also as a job."""

    name: str
    request: type[JudgedRequest]
    response: type[Response]


PAIRWISE = Verb("pairwise", PairwiseRequest, PairwiseResponse)
POINTWISE = Verb("pointwise", PointwiseRequest, PointwiseResponse)
LISTWISE = Verb("listwise", ListwiseRequest, ListwiseResponse)
TOURNAMENT = Verb("tournament", TournamentRequest, TournamentResponse)
REWARD = Verb("reward", JudgeRewardRequest, JudgeRewardResponse)
