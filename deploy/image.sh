#!/usr/bin/env bash
# Builds the image of deploy/Dockerfile from an unpacked release.
#
# usage: deploy/image.sh DIR TAG        DIR is what curfew-VERSION-linux-ARCH.tar.gz holds
#        BUILDER=docker|podman|buildah  who builds; the first of them that works when it is not given
set -euo pipefail

dir=${1:?usage: image.sh DIR TAG} tag=${2:?usage: image.sh DIR TAG}
name=$(basename "$dir")
version=${name#curfew-} version=${version%-linux-*}

# find_builder prints the first that works; docker's client may be there without its daemon.
find_builder() {
  if docker info >/dev/null 2>&1; then
    echo docker
  elif command -v podman >/dev/null; then
    echo podman
  elif command -v buildah >/dev/null; then
    echo buildah
  else
    echo 'image: needs docker (with its daemon running), podman or buildah' >&2
    return 1
  fi
}

builder=${BUILDER:-$(find_builder)}
arguments=(--file "$dir/deploy/Dockerfile" --build-arg "VERSION=$version" --tag "$tag")
case $name in
*-linux-amd64) arguments+=(--platform linux/amd64) ;;
*-linux-arm64) arguments+=(--platform linux/arm64) ;;
esac
# The format of the OCI knows no health checks, and is what podman and buildah would write.
[ "$builder" = docker ] || arguments+=(--format docker)
"$builder" build "${arguments[@]}" "$dir"
