"""Where segments end: after a token at which the reference model is uncertain of the next.

Tensor shapes: B texts, T tokens, V vocabulary, N tokens of an answer.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from transformers import PreTrainedModel

from plaudit.segments import segment_ends
from plaudit_trainer.offline.reward_model.batch import Side

_ENTROPY_ROWS = 512


@dataclass
class Segmenter:
    """The reference does not learn, so a text is read once and its ends are kept."""

    reference: PreTrainedModel
    c_ent: float
    known: dict[bytes, list[int]] = field(default_factory=dict)

    def __call__(self, sides: Sequence[Side]) -> list[list[int]]:
        keys = [array("l", [side.num_prompt_tokens, *side.ids]).tobytes() for side in sides]
        new = {key: side for key, side in zip(keys, sides, strict=True) if key not in self.known}
        if new:
            self.known |= dict(zip(new, self._ends(list(new.values())), strict=True))
        return [self.known[key] for key in keys]

    def _ends(self, sides: Sequence[Side]) -> list[list[int]]:
        found = []
        for side, entropies in zip(sides, self._entropies(sides), strict=True):
            ends = segment_ends(entropies, self.c_ent, ends_with_eos=True)
            found.append([side.num_prompt_tokens + end for end in ends])
        return found

    @torch.inference_mode()
    def _entropies(self, sides: Sequence[Side]) -> list[list[float]]:
        """At each token of the answers, of the token after it; nats."""
        length = max(len(side.ids) for side in sides)
        ids_BT = torch.zeros((len(sides), length), dtype=torch.long)
        for row, side in enumerate(sides):
            ids_BT[row, : len(side.ids)] = torch.tensor(side.ids)
        # On the right of a text nothing changes it: attention is causal, and no mask is needed.
        first = min(side.num_prompt_tokens for side in sides)
        logits_BTV = self.reference(
            input_ids=ids_BT.to(self.reference.device),
            use_cache=False,
            logits_to_keep=length - first,
        ).logits
        found = []
        for row, side in enumerate(sides):
            columns = slice(side.num_prompt_tokens - first, len(side.ids) - first)
            found.append(entropies_of(logits_BTV[row, columns]).tolist())
        return found


def entropies_of(logits_NV: torch.Tensor) -> torch.Tensor:
    """In float32, a few rows at a time: V is large."""
    parts = torch.split(logits_NV, _ENTROPY_ROWS)
    return torch.cat([torch.special.entr(rows_NV.float().softmax(-1)).sum(-1) for rows_NV in parts])
