#!/usr/bin/env bash
# Runs `curfew conform` against curfewd and against echo servers on libraries of others, one after
# the other, and keeps the reports. docs/conformance.md says what they mean.
#
#   bench/conform.sh [NAME...]      (make conform NAMES='ws websockets')
#
# NAME is one of those below, all of them where none is given. `make e2e-tools` installs what
# Node.js and Python serve. Where all were asked, the result is kept as
# bench/results/YYYY-MM-DD-conform.txt: a line a server, a table of sections, and then each case, with
# what the report says of it; those that passed without a remark share a line. KEEP=0 keeps nothing.
# The reports themselves, in JSON, are left in build/bench/conform.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

bin=$PWD/build/bench
e2e=$PWD/build/e2e

daemon() {
  exec "$bin/curfewd" --listen 127.0.0.1:0 --admin '' --max-message-bytes 16777216 \
    --log-format json "$@" 2>&1
}
peer() { exec "$bin/wsserver" -kind "$@"; }

# serve NAME runs a server until it is killed. It says where it listens in its first lines.
serve() {
  case $1 in
    curfewd-epoll) daemon --mode epoll ;;
    curfewd-epoll-deflate) daemon --mode epoll --compression on ;;
    curfewd-goroutine) daemon --mode goroutine ;;
    curfewd-goroutine-deflate) daemon --mode goroutine --compression on ;;
    gnet) peer gnet ;;
    coder | gobwas | gorilla | gws | nbio) peer "$1" -conform ;;
    ws) NODE_PATH=$e2e/node_modules exec node internal/e2e/testdata/echo.js ;;
    websockets) exec "$e2e/bin/python3" internal/e2e/testdata/echo.py ;;
  esac
}
all=(curfewd-epoll curfewd-epoll-deflate curfewd-goroutine curfewd-goroutine-deflate
  gorilla coder gobwas gws nbio gnet ws websockets)

# version NAME says what serves.
version() {
  local module
  case $1 in
    curfewd*) git describe --always --dirty --abbrev=12 --exclude '*'; return ;;
    gorilla | coder) module=github.com/$1/websocket ;;
    gobwas) module=github.com/gobwas/ws ;;
    gws) module=github.com/lxzan/gws ;;
    nbio) module=github.com/lesismal/nbio ;;
    gnet) module=github.com/panjf2000/gnet/v2 ;;
    ws) NODE_PATH=$e2e/node_modules node -p '"ws " + require("ws/package.json").version +
      ", Node.js " + process.version'; return ;;
    websockets) "$e2e/bin/python3" -c 'import sys, websockets.version as v
print("websockets", v.version + ", Python", sys.version.split()[0])'; return ;;
  esac
  (cd bench/peers && go list -m "$module")
}

# judge NAME starts a server, runs the suite against it, and prints the line that sums up. The
# patience is more than by default, so that a busy machine makes no case fail.
judge() {
  local name=$1 said address='' server status=0 flags=()
  said=$(mktemp)
  serve "$name" >"$said" &
  server=$!
  for ((tries = 0; tries < 100; tries++)); do
    address=$(grep -m 1 listening "$said" | grep -oE '127\.0\.0\.1:[0-9]+' | head -n 1) && break
    sleep 0.1
  done
  if [ -z "$address" ]; then
    kill "$server" 2>/dev/null || true
    echo "conform: $name does not say where it listens (make e2e-tools installs what is not Go):" >&2
    cat "$said" >&2
    return 2
  fi
  [[ $name != curfewd* ]] || flags=(--subprotocol curfew.raw)
  summary=$("$bin/curfew" conform --quiet --timeout 5s --json "$results/$name.json" "${flags[@]}" \
    "ws://$address/ws") || status=$?
  kill "$server"
  wait "$server" 2>/dev/null || true
  rm -f "$said"
  [ "$status" -lt 2 ] || return "$status"
  printf '%-26s %-45s %s\n' "$name" "$(version "$name")" "$summary"
}

# table prints how many cases of each section passed, failed and were skipped, from lines of server,
# case and result. A number alone: all passed.
table() {
  awk '
    { split($2, part, "."); section = part[1]; n[$1, section, $3]++; n[$1, "all", $3]++ }
    !($1 in seen) { seen[$1]; server[++servers] = $1 }
    !(section in known) { known[section]; column[++columns] = section }
    function cell(s, c,  p, f, k) {
      p = n[s, c, "pass"] + 0; f = n[s, c, "fail"] + 0; k = n[s, c, "skip"] + 0
      return f + k == 0 ? p : p + f == 0 ? "-" : p "/" f "/" k
    }
    END {
      column[++columns] = "all"
      printf "| server |"; for (i = 1; i <= columns; i++) printf " %s |", column[i]
      printf "\n|---|"; for (i = 1; i <= columns; i++) printf "---|"
      for (j = 1; j <= servers; j++) {
        printf "\n| %s |", server[j]
        for (i = 1; i <= columns; i++) printf " %s |", cell(server[j], column[i])
      }
      print ""
    }'
}

# cases prints a report as lines of server, case, result and detail.
cases() {
  sed -nE 's/^\{"id":"([^"]*)",.*"result":"([^"]*)","detail":"(.*)"\},?$/\1 \2 \3/p' \
    "$results/$1.json" | sed "s/^/$1 /"
}

mkdir -p "$bin"
export CGO_ENABLED=0
go build -trimpath -o "$bin/" ./cmd/curfewd ./cmd/curfew
(cd bench/peers && go build -trimpath -o "$bin/" ./wsserver)

names=("$@")
[ $# -gt 0 ] || names=("${all[@]}")
for name in "${names[@]}"; do
  if [[ " ${all[*]} " != *" $name "* ]]; then
    echo "conform: no server is called $name; there are ${all[*]}" >&2
    exit 2
  fi
done
results=$bin/conform
rm -rf "$results"
mkdir -p "$results"
{
  echo "commit: $(git describe --always --dirty --abbrev=12 --exclude '*')"
  echo "machine: $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)," \
    "$(getconf _NPROCESSORS_ONLN) cores, $(uname -s) $(uname -r | cut -d- -f1), $(go env GOVERSION)"
  echo 'question: which cases of curfew conform does each server pass, and how long does a run take'
  echo "command: bench/conform.sh${*:+ $*}"
  echo
  for name in "${names[@]}"; do judge "$name"; done
  echo
  for name in "${names[@]}"; do cases "$name"; done | table
} | tee "$results/conform.txt"
[ $# = 0 ] && [ "${KEEP:-1}" != 0 ] || exit 0
kept=bench/results/$(date +%F)-conform.txt
{
  cat "$results/conform.txt"
  for name in "${names[@]}"; do
    echo
    cases "$name" | awk -v name="$name" 'NF > 3 { print; next } { passed = passed " " $2 }
      END { print name, "passed without a remark:" passed }'
  done
} >"$kept"
echo "conform: kept in $kept"
