"""The rollout service: vLLM under supervision, an API in front, a worker beside each engine."""
