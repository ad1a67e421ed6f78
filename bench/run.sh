#!/usr/bin/env bash
# Runs the comparison benchmarks, keeps their raw output and prints a benchstat table of it.
#
# ./bench/... is run first, then bench/peers, a module of its own that runs ours and the peers in
# one process. What is kept goes to bench/results/YYYY-MM-DD-WHAT.txt, with head lines that
# benchstat reads as configuration. A run that fails leaves no result; a second one of the same day
# and name replaces the first.
#
# Settings, all from the environment (or as `make bench NAME=value`):
#   WHAT       what the result file is called after its date      (all)
#   QUESTION   what the run is to answer, kept in the file        (see below)
#   BENCH      which benchmarks, as for go test -bench            (.)
#   COUNT      samples of each                                    (10)
#   BENCHTIME  how long a sample takes, or Nx                     (100ms)
#   BENCHFLAGS more flags for go test, such as -cpu=1,2           (none)
#   COL        what benchstat compares side by side               (/impl)
#   KEEP       0 prints the table and keeps no file               (1)
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

what=${WHAT:-all}
question=${QUESTION:-how do the engine and its peers compare}
bench=${BENCH:-.}
count=${COUNT:-10}
benchtime=${BENCHTIME:-100ms}
col=${COL:-/impl}
keep=${KEEP:-1}
read -r -a flags <<<"${BENCHFLAGS:-}"
read -r -a benchstat <<<"${BENCHSTAT:?run this by make bench, which pins benchstat}"

command=(go test -run '^$' -bench "$bench" -benchmem -count "$count" -benchtime "$benchtime"
  -timeout 2h ${flags[@]+"${flags[@]}"})

# machine names what the figures depend on, and not the host.
machine() {
  local cpu memory
  cpu=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -n 1)
  memory=$(awk '/^MemTotal/ {printf "%.0f GiB", $2 / 1048576}' /proc/meminfo 2>/dev/null)
  echo "${cpu:-unknown CPU}, $(getconf _NPROCESSORS_ONLN) cores, ${memory:-unknown memory}," \
    "$(uname -s) $(uname -r | cut -d- -f1), $(go env GOVERSION)"
}

# in_module runs the benchmarks of one module's packages, if it has any.
in_module() {
  local dir=$1 packages=$2
  if [ -z "$(cd "$dir" && go list "$packages" 2>/dev/null)" ]; then
    echo "bench: nothing to run in $dir" >&2
    return 0
  fi
  (cd "$dir" && "${command[@]}" "$packages")
}

mkdir -p bench/results/tmp
raw=bench/results/tmp/$what.txt
{
  echo "commit: $(git describe --always --dirty --abbrev=12 --exclude '*')"
  echo "machine: $(machine)"
  echo "question: $question"
  echo "command: ${command[*]}, on ./bench/... and in bench/peers"
  in_module . ./bench/...
  [ ! -f bench/peers/go.mod ] || in_module bench/peers ./...
} | tee "$raw"

if ! grep -q '^Benchmark' "$raw"; then
  echo "bench: no benchmark matches $bench" >&2
  exit 1
fi

if [ "$keep" != 0 ]; then
  result=bench/results/$(date +%F)-$what.txt
  mv "$raw" "$result"
  raw=$result
  echo "bench: raw samples kept in $result"
fi
"${benchstat[@]}" -col "$col" "$raw"
