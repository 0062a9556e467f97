#!/bin/sh
# Makes .env and secrets/ where they are missing: a new API key, and empty files for keys of others.
set -eu
cd "$(dirname "$0")"

random_key() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

[ -e .env ] || cp .env.example .env
# The containers' user reads the files, so that only the directory keeps other users out.
mkdir -p secrets
chmod 700 secrets
[ -e secrets/api_key ] || random_key > secrets/api_key
[ -e secrets/api_keys ] || cp secrets/api_key secrets/api_keys
[ -e secrets/grafana_password ] || random_key > secrets/grafana_password
for name in anthropic_api_key nvidia_api_key; do [ -e "secrets/$name" ] || : > "secrets/$name"; done
chmod 644 secrets/*
