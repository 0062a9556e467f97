"""The schedule that a request asks for."""

import math

from plaudit.schemas.judge import TournamentRequest
from plaudit_judge.schedules.adaptive import Adaptive
from plaudit_judge.schedules.pairs import all_pairs, anchor_pairs, ring_pairs, sample_pairs
from plaudit_judge.schedules.schedule import OneRound, Schedule
from plaudit_judge.schedules.swiss import Swiss


def make_schedule(request: TournamentRequest) -> Schedule:
    num_items, seed = len(request.responses), request.seed
    match request.schedule:
        case "all_pairs":
            return OneRound(all_pairs(num_items))
        case "round_robin_sampled":
            return OneRound(sample_pairs(num_items, request.pair_ratio, seed))
        case "circular":
            return OneRound(ring_pairs(num_items, seed))
        case "anchor":
            return _against_anchor(request)
        case "swiss":
            rounds = request.swiss_rounds or max(2, math.ceil(math.log2(num_items)))
            return Swiss(num_items, rounds, seed)
        case "adaptive":
            return Adaptive(
                num_items,
                goal=request.goal,
                confidence=request.confidence,
                max_comparisons=request.max_comparisons or math.comb(num_items, 2),
                num_rounds=request.max_rounds,
                seed=seed,
            )


def _against_anchor(request: TournamentRequest) -> OneRound:
    """A baseline answer that is no response comes after the last response."""
    num_items = len(request.responses)
    if request.anchor_index is not None:
        return OneRound(anchor_pairs(num_items, request.anchor_index))
    return OneRound(anchor_pairs(num_items + 1, num_items))
