#!/usr/bin/env bash
# Builds the images one by one and prints their sizes: `images.sh [SERVICE...]`.
#
#   TAG              their tag                                   dev
#   BASE, FLAVOUR    as in the Dockerfiles                       their defaults
#   TORCH_INDEX      an index with CPU builds of torch           pip's own
#   PIP_INDEX_URL, PIP_EXTRA_INDEX_URL, HTTP_PROXY, HTTPS_PROXY  passed on when set
#   PIP_CONF         a pip.conf, mounted as a secret while dependencies are installed
#   BUILD_OPTIONS    more for `docker build`, e.g. "--network host"
set -euo pipefail
cd "$(dirname "$0")/.."

readonly tag=${TAG:-dev}
services=(sandbox reward reward-model judge trainer rollout)
(($#)) && services=("$@")

options=(--build-arg "REVISION=$(git rev-parse HEAD 2>/dev/null || echo unknown)")
for name in BASE FLAVOUR TORCH_INDEX PIP_INDEX_URL PIP_EXTRA_INDEX_URL HTTP_PROXY HTTPS_PROXY; do
  [[ -n ${!name:-} ]] && options+=(--build-arg "$name")
done
[[ -n ${PIP_CONF:-} ]] && options+=(--secret "id=pip_conf,src=$PIP_CONF")
read -ra more <<< "${BUILD_OPTIONS:-}"

for service in "${services[@]}"; do
  extra=()
  [[ $service == reward-model ]] && extra=(--build-arg 'EXTRAS=[model]')
  started=$SECONDS
  DOCKER_BUILDKIT=1 docker build --quiet "${options[@]}" "${extra[@]}" "${more[@]}" \
    --file "services/${service%-model}/Dockerfile" --tag "plaudit-$service:$tag" . > /dev/null
  docker image inspect --format '{{.Size}}' "plaudit-$service:$tag" |
    awk -v name="plaudit-$service:$tag" -v s=$((SECONDS - started)) \
      '{printf "%-24s %7.0f MB   built in %d s\n", name, $1 / 1e6, s}'
done
