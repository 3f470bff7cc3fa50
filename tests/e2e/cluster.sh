#!/usr/bin/env bash
# The lab's cluster with the app and Prometheus in it, without GitOps: two minutes, and quiet enough to record incidents on.
#   cluster.sh up      creates what is missing and waits until it works; again is harmless
#   cluster.sh down    deletes the cluster
# Needs a machine with Docker and kind on which the images below have been pulled.
set -euo pipefail

readonly name=sre-lab context=kind-sre-lab
readonly node_image=${SRELAB_NODE_IMAGE:-kindest/node:v1.34.3}
readonly images=(
  prom/prometheus:v3.13.3 prom/node-exporter:v1.12.1
  nginx:1.22.1 redis:7.0.15 busybox:1.35 python:3.11-slim
)
readonly app_image=broken-app:v2
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
readonly root

say() { printf '%4ss %s\n' "$SECONDS" "$*" >&2; }
die() { printf 'cluster.sh: %s\n' "$*" >&2; exit 1; }
k() { kubectl --context "$context" --request-timeout=30s "$@"; }

within() { # within SECONDS COMMAND...: tries until it succeeds
  local until=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$until" ] || return 1
    sleep 2
  done
}

require() {
  local program
  for program in docker kind kubectl; do
    command -v "$program" >/dev/null || die "$program is not on the PATH"
  done
  timeout 20 docker info >/dev/null 2>&1 || die "the Docker engine does not answer: start it first"
  local image missing=()
  for image in "$node_image" "${images[@]}"; do
    docker image inspect "$image" >/dev/null 2>&1 || missing+=("$image")
  done
  [ ${#missing[@]} -eq 0 ] || die "not in Docker's image store, pull them first: ${missing[*]}"
}

create() {
  if ! kind get clusters 2>/dev/null | grep -qx "$name"; then
    timeout 420 kind create cluster --name "$name" --image "$node_image" --config "$root/terraform/kind.yaml" \
      || die "kind could not create the cluster within 420 s; \`kind export logs --name $name\` keeps what the nodes said"
    say "cluster created"
  fi
  # On a busy machine etcd stalls now and then while the nodes start.
  within 120 k get --raw /readyz || die "the API server of $context was not ready within 120 s; \`cluster.sh down\`, try again"
  k wait --for=condition=Ready nodes --all --timeout=180s --request-timeout=0 >/dev/null \
    || { k get nodes >&2; die "not every node became Ready within 180 s"; }
}

nodes_without() { # nodes_without IMAGE: the nodes that do not have this very image
  local id node
  id=$(docker image inspect --format '{{.Id}}' "$1")
  for node in $(kind get nodes --name "$name"); do
    # Where Docker keeps images in containerd, its id is the manifest's and never equal: they are loaded once more.
    [ "$(docker exec "$node" crictl inspecti -o go-template --template '{{.status.id}}' "$1" 2>/dev/null)" = "$id" ] \
      || echo "$node"
  done
}

load() { # load IMAGE...: puts what is missing on each node, in one archive because the images share their layers
  local image absent=() archive platform=() node
  for image in "$@"; do
    [ -z "$(nodes_without "$image")" ] || absent+=("$image")
  done
  [ ${#absent[@]} -gt 0 ] || return 0
  archive=$(mktemp "${TMPDIR:-/tmp}/srelab-images.XXXXXX")
  # An archive of every platform names contents that were never pulled, and kind refuses it. Old engines lack the option.
  if docker image save --help | grep -q -- --platform; then
    platform=(--platform "$(docker version --format '{{.Server.Os}}/{{.Server.Arch}}')")
  fi
  timeout 300 docker image save "${platform[@]}" -o "$archive" "${absent[@]}" || { rm -f "$archive"; die "docker save failed"; }
  timeout 600 kind load image-archive "$archive" --name "$name" || { rm -f "$archive"; die "kind load failed"; }
  rm -f "$archive"
  for image in "${absent[@]}"; do
    for node in $(kind get nodes --name "$name"); do
      docker exec "$node" crictl inspecti -q "$image" >/dev/null 2>&1 || die "$image did not arrive on $node"
    done
  done
  say "loaded ${absent[*]}"
}

deploy() { # deploy NAMESPACE FOLDER
  k apply -k "$root/k8s/manifests/$2" >/dev/null
  local workload
  for workload in $(k -n "$1" get deployments,daemonsets -l "app.kubernetes.io/part-of=$2" -o name); do
    k -n "$1" rollout status "$workload" --timeout=240s --request-timeout=0 >/dev/null || {
      k -n "$1" get pods -o wide >&2
      k -n "$1" get events --sort-by=.lastTimestamp 2>/dev/null | tail -15 >&2
      die "$1/$workload was not rolled out within 240 s"
    }
  done
  say "$2 runs"
}

scraped() { # Prometheus has answers from the app and from every node
  local query='sum(up{job="pods",namespace="default"})>=3 and on() sum(up{job="cadvisor"})>=3'
  k get --raw "/api/v1/namespaces/monitoring/services/prometheus:9090/proxy/api/v1/query?query=$(encoded "$query")" \
    | grep -q '"value"'
}

encoded() { # encoded TEXT: as a URL wants it
  local text=$1 i
  for ((i = 0; i < ${#text}; i++)); do
    case ${text:i:1} in [a-zA-Z0-9._~-]) printf %s "${text:i:1}" ;; *) printf '%%%02X' "'${text:i:1}" ;; esac
  done
}

up() {
  require
  create
  load "${images[@]}"
  timeout 600 docker build --quiet --tag "$app_image" "$root/app" >/dev/null || die "$app_image did not build"
  local running="" stale
  stale=$(nodes_without "$app_image")
  [ -z "$stale" ] || running=$(k -n default get deployments -l app.kubernetes.io/part-of=broken-app -o name)
  load "$app_image"
  # A rebuild under the same tag changes no manifest, so nothing would restart by itself.
  # shellcheck disable=SC2086
  [ -z "$running" ] || k -n default rollout restart $running >/dev/null
  deploy monitoring prometheus
  deploy default broken-app
  within 120 scraped || die "Prometheus runs, and within 120 s it has not scraped the app and every node"
  say "Prometheus scrapes the app and every node"
}

case "${1:-}" in
  up) up ;;
  down) kind delete cluster --name "$name" ;;
  *) die "usage: cluster.sh up|down" ;;
esac
