#!/usr/bin/env bash
# The whole suite, or what the arguments name. Tests with a real vLLM or several torch processes
# need most of a core by themselves: two of them at once fill two cores. Of the others, which mostly
# wait, more run side by side.
set -uo pipefail
pytest=("${BIN:-.venv/bin}/python" -m pytest)
if (($#)); then
  exec "${pytest[@]}" "$@"
fi
status=0
# One thread each: torch threads that outnumber the cores spin.
export OMP_NUM_THREADS=1
"${pytest[@]}" -m "not vllm and not distributed" -n 3 --dist loadfile || status=1
# Only the files that hold such tests: pytest would import all others to find them, for 10 s.
# In the order of their names: whole runs (tests/e2e) take longest and must not start last.
mapfile -t heavy < <(grep -rlE 'mark\.(vllm|distributed)' tests --include='test_*.py' | LC_ALL=C sort)
"${pytest[@]}" -m "vllm or distributed" -n 2 --dist loadfile --no-loadscope-reorder "${heavy[@]}" ||
  status=1
exit "$status"
