#!/bin/sh
# Creates Courier's namespace and search attributes. The server's address and the
# namespace are taken from the TEMPORAL_* variables. Every step may be repeated.
set -eu

# The port is open a little before the frontend serves, and it takes some seconds
# until the frontend knows a namespace that was just created.
retry() {
  tries=30
  until "$@"; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || return 1
    sleep 2
  done
}

retry temporal operator cluster health

temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1 ||
  temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention "$RETENTION"
retry temporal operator namespace update --namespace "$TEMPORAL_NAMESPACE" --retention "$RETENTION"

# Those that exist already are left as they are.
retry temporal operator search-attribute create \
  --name WebhookDestination --type Keyword \
  --name GitBookEventType --type Keyword \
  --name GitBookInstallation --type Keyword \
  --name GitBookSpace --type Keyword \
  --name GitBookSite --type Keyword \
  --name WebhookRedelivery --type Keyword \
  --name WebhookState --type Keyword
