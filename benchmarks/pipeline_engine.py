"""A stand-in engine: vLLM's wire format, answered at once from bodies that were made before.

    python benchmarks/pipeline_engine.py PORT

Every field that vLLM 0.32 sends is there, since reading past them is part of the path's work.
"""

import json
import random
import struct
import sys
from collections.abc import Mapping
from itertools import cycle
from typing import Any

import uvicorn
from starlette.types import Receive, Scope, Send

NUM_COMPLETIONS = 8
NUM_TOKENS = 256
NUM_BODIES = 16
MAX_MODEL_LEN = 4096
LOGPROB = -1.0
"""What the engine says of every token of a probe; the stand-in learner publishes the same."""
WORDS = ["we", "add", "the", "two", "and", "get", "so", "far", "more", "than", "half", "of", "it"]


class Engine:
    """Remembers its stamp, as a worker expects; weights it has none."""

    def __init__(self) -> None:
        chance = random.Random(0)
        self._stamp = "default"
        self._bodies = cycle([completions(chance) for _ in range(NUM_BODIES)])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = self._answer(scope["path"], await _read(receive))
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(answer)).encode()),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    def _answer(self, path: str, body: bytes) -> bytes:
        match path:
            case "/v1/completions":
                return (
                    probed(json.loads(body)) if b"prompt_logprobs" in body else next(self._bodies)
                )
            case "/weight_info":
                return json.dumps({"weight_version": self._stamp}).encode()
            case "/update_weight_version":
                self._stamp = json.loads(body)["new_version"]
            case "/tokenize":
                text = json.loads(body)["messages"][-1]["content"]
                tokens = {"tokens": list(text.encode()), "max_model_len": MAX_MODEL_LEN}
                return json.dumps(tokens).encode()
        return b"{}"


async def _read(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def completions(chance: random.Random) -> bytes:
    choices = [choice(index, chance) for index in range(NUM_COMPLETIONS)]
    usage = {"prompt_tokens": 64, "total_tokens": 2112, "completion_tokens": 2048}
    body = {
        "id": "cmpl-0", "object": "text_completion", "created": 0, "model": "policy",
        "choices": choices, "service_tier": None, "system_fingerprint": None, "usage": usage,
        "kv_transfer_params": None,
    }  # fmt: skip
    return json.dumps(body, separators=(",", ":")).encode()


def choice(index: int, chance: random.Random) -> dict[str, Any]:
    token_ids = [chance.randrange(150_000) for _ in range(NUM_TOKENS)]
    names = [f"token_id:{token}" for token in token_ids]
    logprobs = [float32(-chance.expovariate(1.0)) for _ in token_ids]
    return {
        "index": index,
        "text": text(chance),
        "logprobs": {
            "text_offset": list(range(0, 4 * NUM_TOKENS, 4)),
            "token_logprobs": logprobs,
            "tokens": names,
            "top_logprobs": [{name: value} for name, value in zip(names, logprobs, strict=True)],
        },
        "finish_reason": "stop",
        "stop_reason": None,
        "token_ids": token_ids,
        "prompt_logprobs": None,
        "prompt_token_ids": None,
        "routed_experts": None,
    }


def float32(value: float) -> float:
    """vLLM's log-probabilities are of this type, and take more digits to write than short ones."""
    narrowed: float = struct.unpack("f", struct.pack("f", value))[0]
    return narrowed


def text(chance: random.Random) -> str:
    thoughts = " ".join(chance.choices(WORDS, k=NUM_TOKENS))
    answer = chance.randrange(10)
    return f"<think>\n{thoughts}\n</think>\n<answer>\n$\\boxed{{{answer}}}$\n</answer>"


def probed(asked: Mapping[str, Any]) -> bytes:
    choices = [
        {
            "index": index,
            "prompt_logprobs": [
                None,
                *({str(token): {"logprob": LOGPROB}} for token in tokens[1:]),
            ],
        }
        for index, tokens in enumerate(asked["prompt"])
    ]
    return json.dumps({"choices": choices}).encode()


if __name__ == "__main__":
    uvicorn.run(
        Engine(), port=int(sys.argv[1]), lifespan="off", access_log=False, log_level="warning"
    )
