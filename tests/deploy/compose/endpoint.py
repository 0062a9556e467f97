"""Anthropic's Messages API and NVIDIA's reward models on the wire, for who has the right key.

The first of the two answers wins; a reward is the answer's length. Runs in a container alone.
"""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PORT = 8000
NEMOTRON = "nvidia/llama-3.1-nemotron-70b-reward"
ANTHROPIC_KEY = "dummy-key-of-anthropic"
NVIDIA_KEY = "dummy-key-of-nvidia"


class Endpoint(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Only /v1/models is asked for."""
        self.answer({"object": "list", "data": [{"id": NEMOTRON}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        key = self.headers["x-api-key"] or self.headers["authorization"].removeprefix("Bearer ")
        if (self.path, key) == ("/v1/messages", ANTHROPIC_KEY):
            self.answer(message(body))
        elif (self.path, key) == ("/v1/chat/completions", NVIDIA_KEY):
            self.answer(completion(body))
        else:
            self.answer({"error": "wrong key"}, status=401)

    def answer(self, body: dict[str, Any], status: int = 200) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def message(body: dict[str, Any]) -> dict[str, Any]:
    verdicts = body["output_config"]["format"]["schema"]["properties"]["verdict"]["enum"]
    text = json.dumps({"reasons": "It is shown first.", "verdict": verdicts[0]})
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "model": body["model"],
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn", "stop_sequence": None,
        "usage": {"input_tokens": 100, "output_tokens": 10},
    }  # fmt: skip


def completion(body: dict[str, Any]) -> dict[str, Any]:
    text = f"reward:{len(body['messages'][-1]['content'])}"
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text},
        "finish_reason": "stop",
    }
    return {"id": "1", "choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": 1}}


if __name__ == "__main__":
    ThreadingHTTPServer(("0.0.0.0", PORT), Endpoint).serve_forever()
