#!/usr/bin/env bash
# Starts several instances of Qalam on one store, on ports 8081 and on; ends them when it is ended.
#   scripts/instances.sh 2 --model some.gguf
set -euo pipefail
count=${1:?how many instances}
shift
pids=()
trap 'kill "${pids[@]}" 2>/dev/null; wait' EXIT INT TERM
for number in $(seq "$count"); do
    .build/release/qalam serve --port $((8080 + number)) "$@" &
    pids+=($!)
done
wait
