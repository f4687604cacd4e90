#!/usr/bin/env bash
# Makes the archives of a release in a folder: one for each platform, the sums of all, and a bill of materials for each
# module. From the same commit they are the same, byte for byte. "make dist" calls it.
#
#   deploy/dist.sh FOLDER linux/amd64 darwin/arm64 …
set -euo pipefail
export TZ=UTC
cd "$(dirname "$0")/.."
folder=$1
shift

version=$(sed -n 's/^const Number = "\(.*\)"$/\1/p' internal/version/version.go)
commit=$(git rev-parse --short=12 HEAD)
# Every file is as old as the commit.
time=@$(git log -1 --format=%ct)
stamp="-s -X github.com/gitbook-courier/courier/internal/version.commit=$commit"
export CGO_ENABLED=0 GOFLAGS="-trimpath -buildvcs=false"

rm -rf "$folder"
mkdir -p "$folder"
for platform in "$@"; do
  name=courier-$version-${platform/\//-}
  mkdir "$folder/$name"
  (
    export GOOS=${platform%/*} GOARCH=${platform#*/}
    go build -ldflags="$stamp" -o "$folder/$name/" ./starter ./worker ./courierctl
    go -C standalone build -ldflags="$stamp" -o "$folder/$name/courier" .
  )
  cp -r LICENSE README.md CHANGELOG.md "$folder/$name/"
  mkdir "$folder/$name/deploy"
  # The chart refers to files beside it by links.
  cp -rL deploy/courier.yaml deploy/systemd deploy/prometheus deploy/grafana "$folder/$name/deploy/"
  mkdir "$folder/$name/deploy/helm"
  cp -rL deploy/helm/courier "$folder/$name/deploy/helm/"
  mkdir "$folder/$name/receivers"
  cp receivers/javascript/*.m?s receivers/javascript/package.json receivers/python/courier.py receivers/python/example.py "$folder/$name/receivers/"
  tar --sort=name --mtime="$time" --owner=0 --group=0 --numeric-owner --mode=u+rw,go=rX -C "$folder" -cf - "$name" | gzip -n9 >"$folder/$name.tar.gz"
  rm -r "${folder:?}/$name"
done

# Of each program, the modules that are linked into it.
for module in . standalone; do
  name=courier
  [ "$module" = . ] && name=starter-worker
  GOFLAGS=-buildvcs=false go run github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.9.0 mod -json -licenses=false -noserial -output "$folder/$name-$version.cdx.json" "$module"
  sed -i.bak "s/\"timestamp\": \"[^\"]*\"/\"timestamp\": \"$(git log -1 --format=%cd --date=format-local:%Y-%m-%dT%H:%M:%SZ)\"/" "$folder/$name-$version.cdx.json"
  rm "$folder/$name-$version.cdx.json.bak"
done
(cd "$folder" && sha256sum -- *.tar.gz *.cdx.json >SHA256SUMS)
cat "$folder/SHA256SUMS"
