"""A model of a run, asked without its services."""

from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

_MAX_REPLY_TOKENS = 32


class Policy:
    def __init__(self, path: Path) -> None:
        self._tokenizer = AutoTokenizer.from_pretrained(path)
        self._model: Any = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)

    @torch.no_grad()
    def logprob(self, text: str, reply: str) -> float:
        prompt = self._prompt(text)
        ids_1T = torch.tensor([prompt + self._tokenizer.encode(reply, add_special_tokens=False)])
        logprobs_TV = self._model(ids_1T).logits[0, :-1].log_softmax(-1)
        chosen_T = logprobs_TV.gather(-1, ids_1T[0, 1:, None])[:, 0]
        return float(chosen_T[len(prompt) - 1 :].sum())

    @torch.no_grad()
    def reply(self, text: str) -> str:
        ids_1T = torch.tensor([self._prompt(text)])
        found_1T = self._model.generate(ids_1T, max_new_tokens=_MAX_REPLY_TOKENS, do_sample=False)
        return str(self._tokenizer.decode(found_1T[0, ids_1T.shape[1] :]))

    def _prompt(self, text: str) -> list[int]:
        messages = [{"role": "user", "content": text}]
        filled = self._tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, tokenize=False
        )
        return list(self._tokenizer.encode(str(filled), add_special_tokens=False))
