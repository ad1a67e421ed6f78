#!/usr/bin/env bash
# Builds what is released: for each platform a static curfewd and curfew, with what belongs to them,
# in a tar.gz, and SHA256SUMS of all. The same commit gives the same bytes wherever it lies, with the
# same Go and gzip.
#
# usage: deploy/release.sh [DIR]        DIR is build/release when it is not given
#        PLATFORMS='linux/amd64 ...'    what to build for
#        VERSION=v1.2.3                 what it is called; git describe when it is not given
#        SOURCE_DATE_EPOCH=seconds      the date of all files; the commit's when it is not given
#
# DIR also keeps what the archives hold, unpacked: `make image` builds of that.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=${1:-build/release}
platforms=${PLATFORMS:-linux/amd64 linux/arm64 darwin/amd64 darwin/arm64}
go=${GO:-go}

# Nothing of whoever builds may come in: neither flags nor levels of the processor.
unset GOAMD64 GOARM64 GOEXPERIMENT GOOS GOARCH
export CGO_ENABLED=0 GOFLAGS='-trimpath -buildvcs=false -mod=readonly' GOWORK=off
export LC_ALL=C TZ=UTC

# Whoever builds need not be whose checkout it is, which git has doubts about.
git() { command git -c 'safe.directory=*' "$@"; }

version=${VERSION:-$(git describe --tags --always --dirty 2>/dev/null || echo unknown)}
date=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}

if ! tar --version 2>/dev/null | grep -q 'GNU tar'; then
  echo 'release: needs GNU tar, which can sort names and set dates (Debian: tar; macOS: gnu-tar)' >&2
  exit 1
fi

# sources prints the files of the house below the given paths, and no others that lie about.
sources() {
  if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    git ls-files -- "$@"
  else
    find "$@" -type f
  fi
}

# licences copies those of Go and of every module that the programs hold for a platform.
licences() {
  local dir=$1 os=$2 arch=$3 goroot module path found
  goroot=$("$go" env GOROOT)
  if [ ! -f "$goroot/LICENSE" ]; then
    echo "release: $goroot/LICENSE is missing, and the programs hold Go's library" >&2
    return 1
  fi
  install -D -m 0644 "$goroot/LICENSE" "$dir/go/LICENSE"
  GOOS=$os GOARCH=$arch "$go" list -deps -f \
    '{{with .Module}}{{if not .Main}}{{.Path}} {{.Dir}}{{end}}{{end}}' ./cmd/... | sort -u |
    while read -r module path; do
      found=0
      for file in "$path"/{LICENSE,LICENCE,COPYING,NOTICE,PATENTS}*; do
        [ -f "$file" ] || continue
        install -D -m 0644 "$file" "$dir/$module/${file##*/}"
        found=1
      done
      if [ "$found" -eq 0 ]; then
        echo "release: $module has no licence in $path" >&2
        return 1
      fi
    done
  sources internal | grep -E '/(LICENSE|NOTICE)[^/]*$' | while read -r file; do
    install -D -m 0644 "$file" "$dir/$file" # of what is embedded
  done
}

mkdir -p "$out"
out=$(cd "$out" && pwd)
rm -rf "$out"/curfew-* "$out/SHA256SUMS" "$out/completions"

mkdir "$out/completions"
for shell in bash zsh fish; do
  "$go" run ./cmd/curfew completion "$shell" >"$out/completions/curfew.$shell"
done

for platform in $platforms; do
  os=${platform%/*} arch=${platform#*/}
  name=curfew-$version-$os-$arch
  echo "release: $name"
  mkdir "$out/$name"
  GOOS=$os GOARCH=$arch "$go" build -ldflags "-w -X main.version=$version" -o "$out/$name/" \
    ./cmd/curfewd ./cmd/curfew
  # What the texts link to is there too: the raw files behind each figure.
  sources README.md ARCHITECTURE.md CONTRIBUTING.md CHANGELOG.md LICENSE deploy docs \
    bench/README.md bench/results | while read -r file; do
    install -D -m "$([ -x "$file" ] && echo 0755 || echo 0644)" "$file" "$out/$name/$file"
  done
  cp -r "$out/completions" "$out/$name/"
  licences "$out/$name/licenses" "$os" "$arch"
  tar -C "$out" --format=ustar --sort=name --mtime="@$date" --owner=0 --group=0 --numeric-owner \
    --mode='u=rwX,go=rX' -cf - "$name" | gzip -9n >"$out/$name.tar.gz"
done
rm -rf "$out/completions"

(cd "$out" && sha256sum curfew-*.tar.gz >SHA256SUMS && cat SHA256SUMS)
