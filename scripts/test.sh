#!/usr/bin/env bash
# The whole suite, or what the arguments name. Tests with a real vLLM or several torch processes
# fill the machine by themselves and run one by one; the others mostly wait, so they run side by side.
set -uo pipefail
pytest=("${BIN:-.venv/bin}/python" -m pytest)
if (($#)); then
  exec "${pytest[@]}" "$@"
fi
status=0
# One thread each: torch threads that outnumber the cores spin.
OMP_NUM_THREADS=1 "${pytest[@]}" -m "not vllm and not distributed" -n 3 --dist loadfile || status=1
"${pytest[@]}" -m "vllm or distributed" || status=1
exit "$status"
