#!/usr/bin/env bash
# Compares the benchmarks of the working tree with those of an older commit. Samples of the two
# take turns, so that a machine that grows slower meanwhile slows both.
#
# Settings, all from the environment (or as `make bench-compare NAME=value`):
#   OLD        the commit to compare with                         (HEAD)
#   PKG        the package whose benchmarks run                   (./engine)
#   BENCH      which benchmarks, as for go test -bench            (.)
#   COUNT      samples of each                                    (10)
#   BENCHTIME  how long a sample takes, or Nx                     (100ms)
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

old=${OLD:-HEAD}
pkg=${PKG:-./engine}
bench=${BENCH:-.}
count=${COUNT:-10}
benchtime=${BENCHTIME:-100ms}
read -r -a benchstat <<<"${BENCHSTAT:?run this by make bench-compare, which pins benchstat}"

out=$PWD/build/bench-compare
rm -rf "$out"
mkdir -p "$out"
git worktree prune
git worktree add --quiet --detach "$out/tree" "$old"
trap 'git worktree remove --force "$out/tree"' EXIT

sample() {
  go test -vet off -run '^$' -bench "$bench" -benchmem -count 1 -benchtime "$benchtime" \
    -timeout 30m "$pkg"
}

for ((i = 1; i <= count; i++)); do
  echo "bench-compare: sample $i of $count"
  (cd "$out/tree" && sample) >>"$out/old.txt"
  sample >>"$out/new.txt"
done
"${benchstat[@]}" "$old=$out/old.txt" "tree=$out/new.txt"
