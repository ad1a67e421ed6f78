#!/usr/bin/env bash
# Whether a release can be built again: HEAD is cloned to two places and built there, the second
# time by another umask and with nothing cached. The archives must be the same, byte for byte.
#
# usage: deploy/release-check.sh        PLATFORMS as for release.sh
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT

git clone -q "$here" "$work/one"
git clone -q "$here" "$work/somewhere/else"
(cd "$work/one" && deploy/release.sh "$work/one/build/release" >/dev/null)
(cd "$work/somewhere/else" && umask 077 &&
  GOCACHE=$work/cache deploy/release.sh "$work/second" >/dev/null)

if ! diff "$work/one/build/release/SHA256SUMS" "$work/second/SHA256SUMS"; then
  echo 'release-check: two builds of the same commit differ' >&2
  exit 1
fi
cat "$work/second/SHA256SUMS"
echo 'release-check: the same bytes, built twice'
