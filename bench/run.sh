#!/usr/bin/env bash
# Runs the benchmarks in sets, keeps their raw output and prints benchstat tables of it.
#
#   bench/run.sh [quick | full | SET...]
#
# quick is what answers most questions in a few minutes and one file. full is every set with at
# least ten samples, a file each; it takes hours and wants a machine that does nothing else. The
# sets are listed by `bench/run.sh help`; README.md says which claim each is for.
#
# A set is repeated COUNT times as a whole, in processes of its own, so that the samples of one
# implementation lie between those of the others: a machine that grows slower slows all of them.
# What is kept goes to bench/results/YYYY-MM-DD-WHAT.txt, or to -WHAT-2.txt where that is there, so
# that no run replaces another, with head lines that benchstat reads as configuration; a run that
# fails leaves no result. `make bench-report` makes docs/benchmarks.md of the newest of each set.
#
# Settings, all from the environment (or as `make bench NAME=value`):
#   WHAT       the sets, where no argument names them             (quick)
#   COUNT      samples of each                                    (quick 5, else 10)
#   BENCHTIME  how long a sample of a fast operation takes        (200ms)
#   BENCH      run these benchmarks in place of a set, as for go test -bench
#   LARGE      1 adds ten million sessions to idle, gc, growth and memory; 0 does not  (full 1, else 0)
#   PIN        the one processor to run on, by taskset; also sets -test.cpu 1        (all, as they are)
#              of net, pgo and sessions: two processors with a comma, the server's and the client's,
#              or 0 for no pinning at all             (net, pgo: two of different cores; sessions: 0)
#   SIZES      numbers of sessions, with commas                   (what the set wants)
#   QUESTION   what the run is to answer, kept in the file        (the set's)
#   COL        what benchstat compares side by side               (the set's)
#   ONLY, ROUNDS, RATE, IDLE  of the set net: which servers, how often each is measured (3; pgo 7),
#              messages a second (as fast as answers come), how long to sit idle (30s)
#   QUICK      1 takes two short rounds of net with fewer connections, in three minutes instead of
#              twelve, or shorter ones of pgo, and keeps no file unless KEEP=1 says so    (0)
#   PROFILE    how long the profile of pgo is taken, in operations of its benchmarks   (20x)
#   PARTS, ROUNDS, SPREAD  of the set sessions: json, resume, storm, backend, with commas (all; in the
#              file's name), how often each is measured (5), how long touching takes before a storm,
#              with commas (1s,0s)
#   KEEP       0 prints the tables and keeps no file              (1; with QUICK 0)
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

sets=(touch handle parallel create mixed memory gc storm lateness idle growth soak)

# by_program says whether a set is measured by netbench, and not by go test.
by_program() { [[ $1 == net* || $1 == sessions || $1 == pgo || $1 == load* ]]; }

# ours and peers run one sample of the benchmarks that match, on so many sessions, in either module.
ours() { sample bench "$@"; }
peers() { sample peers "$@"; }

sample() {
  local binary=$1 sizes=$2 time=$3 match=$4
  shift 4
  echo "# $binary: sessions $sizes, -bench $match -benchtime $time $*"
  CURFEW_BENCH_N=${SIZES:-$sizes} ${PIN:+taskset -c "$PIN"} "$bin/$binary.test" -test.run '^$' \
    -test.bench "$match" -test.benchtime "$time" -test.timeout 2h ${PIN:+-test.cpu 1} "$@"
}

million=1000000
large=,10000000

# set_NAME is one sample of a set; about_NAME is its question and what it compares.
about_touch='what does a touch by random ID cost, with the collector on and off|/impl'
set_touch() {
  echo 'gc: on'
  peers $million "$benchtime" '^BenchmarkTouch$'
  echo 'gc: off'
  GOGC=off peers $million "$benchtime" '^BenchmarkTouch$'
}

about_handle='what do a touch by handle and a touch in a batch cost|/mode'
set_handle() {
  ours $million "$benchtime" '^BenchmarkTouch(Handle|Batch|Moved)$'
}

about_parallel='what do two processors do that one does not|/gomaxprocs'
set_parallel() {
  ours $million "$benchtime" '^BenchmarkTouch(Handle)?Parallel$' -test.cpu 1,2
}

about_create='what do creating and removing a session cost|/impl'
set_create() {
  peers $million "$benchtime" '^Benchmark(Create|Remove)$'
  ours $million "$benchtime" '^BenchmarkCreateNew$'
}

about_mixed='what does an operation cost when 95 of 100 are touches and the rest create and remove|/impl'
set_mixed() {
  peers $million "$benchtime" '^BenchmarkMixed$'
}

about_memory='what does a session take beside its ID, also at the worst moment of growth|/impl'
set_memory() {
  peers $million 1x '^BenchmarkMemory$'
  [ "$with_large" = 0 ] || ours 10000000 1x '^BenchmarkMemory$/impl=curfew'
}

about_gc='what do sessions cost the collector|/impl'
set_gc() {
  peers $million 20x '^BenchmarkGC$'
  [ "$with_large" = 0 ] || ours 10000000 20x '^BenchmarkGC$/impl=curfew'
}

about_storm='how long do a million sessions that fall due together take, and whom do they hold up|/load'
set_storm() {
  ours $million 1x '^BenchmarkStorm$'
}

about_lateness='how long after its last touch and its idle timeout does a session end, and is any early|/impl'
set_lateness() {
  peers 100000 1x '^BenchmarkLateness$'
}

about_idle='what do sessions cost that nobody uses|/n'
set_idle() {
  CURFEW_BENCH_SECONDS=10 ours "$million$([ "$with_large" = 0 ] || echo $large)" 1x '^BenchmarkIdle$'
}

about_growth='how does a touch grow with the number of sessions|/n'
set_growth() {
  local sizes=1000,10000,100000,$million
  [ "$with_large" = 0 ] || sizes+=$large
  ours "$sizes" "$benchtime" '^BenchmarkTouchHandle$/impl=curfew/mode=random'
  ours "$sizes" "$benchtime" '^BenchmarkTouchBatch$'
  ours "$sizes" "$benchtime" '^BenchmarkTouch$/impl=(hash|curfew)'
}

about_quick='how do the engine and its peers compare, roughly|/impl'
set_quick() {
  peers $million "$benchtime" '^Benchmark(Touch|Create)$'
  ours $million "$benchtime" '^BenchmarkTouch(Handle|Batch|Moved)$'
  # What follows takes long and varies little, so it runs once.
  [ "$round" = 1 ] || return 0
  peers $million 1x '^BenchmarkMemory$'
  peers $million 20x '^BenchmarkGC$'
  peers 100000 1x '^BenchmarkLateness$'
  ours $million 1x '^BenchmarkStorm$/impl=curfew/n=/load=none'
}

# soak is a test and no benchmark: it checks 10^9 ends, and as many on a table with a clock.
about_soak='does any session end early in 10^9|'
set_soak() {
  CURFEW_BENCH_SOAK=${SOAK:-1e9} "$bin/bench.test" -test.run '^TestSoak' -test.v -test.timeout 4h
}

# net is a program and no benchmark: servers and their client are processes.
about_net='what do an idle connection, accepting one, and an echo cost the server, beside its peers|'
set_net() {
  go build -o "$bin/" ./bench/netbench
  CGO_ENABLED=0 go build -trimpath -o "$bin/" ./cmd/curfewd
  # gnet has its faster poller behind this tag; its other one, gc_opt, costs it memory.
  (cd bench/peers && go build -tags poll_opt -o "$bin/" ./wsserver)
  local flags=()
  [ "${QUICK:-0}" = 0 ] ||
    flags+=(-rounds 2 -connections 6000 -idle 0 -duration 600ms -warmup 200ms)
  [ -z "${ONLY:-}" ] || flags+=(-only "$ONLY")
  [ -z "${ROUNDS:-}" ] || flags+=(-rounds "$ROUNDS")
  [ -z "${RATE:-}" ] || flags+=(-rate "$RATE")
  [ -z "${IDLE:-}" ] || flags+=(-idle "$IDLE")
  "$bin/netbench" -curfewd "$bin/curfewd" -wsserver "$bin/wsserver" -pin "${PIN:-auto}" \
    "${flags[@]}"
}

about_netsoak='does the daemon keep its promises under churn, floods and expiry, in flat memory|'
set_netsoak() {
  go build -o "$bin/" ./bench/netbench
  CGO_ENABLED=0 go build -trimpath -o "$bin/" ./cmd/curfewd
  "$bin/netbench" -curfewd "$bin/curfewd" -soak "${SOAK:-10m}"
}

about_sessions='what do JSON, resuming, expiring together and an application over HTTP cost and take|'
set_sessions() {
  go build -o "$bin/" ./bench/netbench
  CGO_ENABLED=0 go build -trimpath -o "$bin/" ./cmd/curfewd
  local flags=()
  [ -z "${ONLY:-}" ] || flags+=(-only "$ONLY")
  [ -z "${SPREAD:-}" ] || flags+=(-spread "$SPREAD")
  "$bin/netbench" -curfewd "$bin/curfewd" -sessions "${PARTS:-all}" -rounds "${ROUNDS:-5}" \
    -pin "${PIN:-0}" "${flags[@]}"
}

# pgo takes a profile of the real server in a process of its own, while clients talk to it, builds
# the daemon with it and without, and measures both. The profile is left in build/bench/pgo.prof.
about_pgo='what does a build of the daemon that is guided by a profile save, an echo|'
set_pgo() {
  go build -o "$bin/" ./bench/netbench
  go test -c -o "$bin/daemon.test" ./bench/daemon
  CURFEW_NETBENCH=$bin/netbench "$bin/daemon.test" -test.run '^$' -test.bench . \
    -test.benchtime "${PROFILE:-20x}" -test.cpuprofile "$bin/pgo.prof" | sed 's/^/# profiled: /'
  CGO_ENABLED=0 go build -trimpath -pgo=off -o "$bin/curfewd-plain" ./cmd/curfewd
  CGO_ENABLED=0 go build -trimpath -pgo="$bin/pgo.prof" -o "$bin/curfewd-pgo" ./cmd/curfewd
  local flags=()
  [ "${QUICK:-0}" = 0 ] || flags+=(-echo 100,1000 -duration 600ms -warmup 200ms)
  "$bin/netbench" -curfewd "$bin/curfewd-plain" -pgo "$bin/curfewd-pgo" -pin "${PIN:-auto}" \
    -rounds "${ROUNDS:-7}" "${flags[@]}"
}

# loadcheck measures nobody: it proves that the harness finds faults, and fails where it does not.
about_loadcheck='does curfew load find the faults of servers that have one known fault each, and nothing else|'
set_loadcheck() {
  go build -o "$bin/" ./bench/loadcheck
  CGO_ENABLED=0 go build -trimpath -o "$bin/" ./cmd/curfew
  "$bin/loadcheck" -curfew "$bin/curfew" ${ONLY:+-only "$ONLY"}
}

# load measures the harness itself, beside a daemon that is on the same machine.
about_load='how late is the harness itself, what does it cost, and what can one process hold|'
set_load() {
  local address=127.0.0.1:18479 daemon round processes rate
  CGO_ENABLED=0 go build -trimpath -o "$bin/" ./cmd/curfew ./cmd/curfewd
  "$bin/curfewd" --listen $address --admin '' --log-level error --idle-timeout 1h &
  daemon=$!
  trap 'kill $daemon 2>/dev/null || true' RETURN
  for ((round = 1; round <= ${ROUNDS:-3}; round++)); do
    for processes in 1 2; do
      for rate in 20000 60000 100000; do
        load_figures "conns=500 processes=$processes rate=$rate size=32" --processes $processes \
          --connections 500 --rate $rate --duration 5s "ws://$address/ws"
      done
    done
    load_figures 'conns=19000 processes=1 rate=20000 size=32' --processes 1 --connections 19000 \
      --ramp 5000/s --rate 20000 --duration 5s "ws://$address/ws"
  done
}

# load_figures makes a run and prints its figures, a line each.
load_figures() {
  local where=$1 json figure value
  shift
  json=$("$bin/curfew" load --protocol raw --json - "$@" 2>/dev/null | tr -d ' \n' |
    sed 's/"intervals":.*//') || true
  for figure in timing_error.p99_us timing_error.max_us latency.p50_us latency.p99_us \
    client.cpu_us_per_message connect.ok lost unsent exit_code; do
    value=$(sed -nE "s/.*\"${figure%%.*}\":(\{[^}]*\"${figure##*.}\":)?([0-9.e+-]+).*/\2/p" <<<"$json")
    echo "server=curfewd-epoll $where round=$round ${figure//./_}=${value:-0}"
  done
}

# operator asks a daemon that holds a million sessions what an operator asks.
about_operator='what does a daemon with a million sessions let its operator wait, and its clients meanwhile|/ask'
set_operator() {
  go test -c -o "$bin/daemon.test" ./bench/daemon
  CURFEW_BENCH_N=${SIZES:-$million} "$bin/daemon.test" -test.run '^$' -test.timeout 1h \
    -test.bench '^BenchmarkOperator$' -test.benchtime 50x
  "$bin/daemon.test" -test.run '^$' -test.bench '^BenchmarkOperatorIdle$/impl=curfewd/dashboards=0' -test.benchtime 1x
  "$bin/daemon.test" -test.run '^$' -test.bench '^BenchmarkOperatorIdle$/impl=curfewd/dashboards=1' -test.benchtime 20x
}

about_nettls='what does TLS cost the daemon, a connection|'
set_nettls() {
  go build -o "$bin/" ./bench/netbench
  CGO_ENABLED=0 go build -trimpath -o "$bin/" ./cmd/curfewd
  "$bin/netbench" -curfewd "$bin/curfewd" -tls
}

about_custom='how do the engine and its peers compare|/impl'
set_custom() {
  ours 1000,10000,100000,$million "$benchtime" "$BENCH"
  peers 1000,10000,100000,$million "$benchtime" "$BENCH"
}

# machine names what the figures depend on, and not the host.
machine() {
  local cpu memory
  cpu=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -n 1)
  memory=$(awk '/^MemTotal/ {printf "%.0f GiB", $2 / 1048576}' /proc/meminfo 2>/dev/null)
  echo "${cpu:-unknown CPU}, $(getconf _NPROCESSORS_ONLN) cores, ${memory:-unknown memory}," \
    "$(uname -s) $(uname -r | cut -d- -f1), $(go env GOVERSION)"
}

# head writes the lines that every result begins with.
head_lines() {
  local name=$1 question=$2 rounds=$3 setting
  echo "commit: $(git describe --always --dirty --abbrev=12 --exclude '*')"
  echo "machine: $(machine)"
  echo "question: ${QUESTION:-$question}"
  printf 'command: %sCOUNT=%q BENCHTIME=%q LARGE=%q' "${PIN:+PIN=$PIN }" \
    "$rounds" "$benchtime" "$with_large"
  [ -z "${SIZES:-}" ] || printf ' SIZES=%q' "$SIZES"
  [ -z "${SOAK:-}" ] || printf ' SOAK=%q' "$SOAK"
  if [ "$name" = net ] || [ "$name" = sessions ] || [ "$name" = pgo ] ||
    [[ $name == load* ]]; then
    for setting in QUICK ONLY ROUNDS RATE IDLE PARTS SPREAD PROFILE; do
      [ -z "${!setting:-}" ] || printf ' %s=%q' "$setting" "${!setting}"
    done
  fi
  [ -z "${BENCH:-}" ] || printf ' BENCH=%q' "$BENCH"
  echo " bench/run.sh $name"
}

# free_result is a name for a result of today that no file has.
free_result() {
  local base=bench/results/$(date +%F)-$1 more='' n=1
  while [ -e "$base$more.txt" ]; do
    n=$((n + 1)) more=-$n
  done
  echo "$base$more.txt"
}

# run_set runs a set and prints its tables.
run_set() {
  local name=$1 rounds=$2 about question col raw kept keep result
  about=about_$name
  question=${!about%|*}
  col=${COL:-${!about##*|}}
  ! by_program "$name" && [ "$name" != soak ] || rounds=1
  mkdir -p bench/results/tmp
  raw=bench/results/tmp/$name.txt
  {
    head_lines "$name" "$question" "$rounds"
    for ((round = 1; round <= rounds; round++)); do
      echo "# sample $round of $rounds"
      "set_$name"
    done
  } | tee "$raw"
  if [ "$name" != soak ] && ! grep -qE '^(Benchmark|server=)' "$raw"; then
    echo "bench: nothing was measured" >&2
    exit 1
  fi
  kept=$name keep=${KEEP:-1}
  if [ "$name" = sessions ] && [ -n "${PARTS:-}" ]; then
    kept=sessions-${PARTS//,/-}
  elif [ "$name" = loadcheck ]; then
    kept=load-selfcheck
    [ -z "${ONLY:-}" ] || keep=${KEEP:-0} # a part proves nothing about the rest
  elif [[ $name == net || $name == pgo ]] && [ "${QUICK:-0}" != 0 ]; then
    kept=$name-quick keep=${KEEP:-0}
  fi
  if [ "$keep" != 0 ]; then
    result=$(free_result "$kept")
    mv "$raw" "$result"
    raw=$result
    echo "bench: raw samples kept in $result"
  fi
  [ -z "$col" ] || "${benchstat[@]}" -col "$col" "$raw"
}

what=${WHAT:-quick}
[ $# = 0 ] || what=$*
[ -z "${BENCH:-}" ] || what=custom
case $what in
  help | -h | --help)
    sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
    for name in "${sets[@]}" net netsoak nettls sessions pgo load loadcheck operator quick; do
      about=about_$name
      printf '  %-9s %s\n' "$name" "${!about%|*}"
    done
    exit 0
    ;;
  quick) count=${COUNT:-5} with_large=${LARGE:-0} ;;
  full) what=${sets[*]} count=${COUNT:-10} with_large=${LARGE:-1} ;;
  *) count=${COUNT:-10} with_large=${LARGE:-0} ;;
esac
benchtime=${BENCHTIME:-200ms}

# The Makefile pins benchstat; a run without make takes the pin from there.
if [ -z "${BENCHSTAT:-}" ]; then
  BENCHSTAT="go $(sed -n 's/^export BENCHSTAT := $(GO) //p' Makefile)"
fi
read -r -a benchstat <<<"$BENCHSTAT"

for name in $what; do
  if ! declare -F "set_$name" >/dev/null; then
    echo "bench: no set is called $name; bench/run.sh help lists them" >&2
    exit 2
  fi
done

bin=$PWD/build/bench
mkdir -p "$bin"
for name in $what; do
  by_program "$name" && continue
  go test -c -o "$bin/bench.test" ./bench
  (cd bench/peers && go test -c -o "$bin/peers.test" .)
  break
done

for name in $what; do
  run_set "$name" "$count"
done
