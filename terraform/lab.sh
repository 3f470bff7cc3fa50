#!/usr/bin/env bash
# Creates and deletes the lab's Docker network and kind cluster. Terraform runs it; everything comes in the environment.
#   lab.sh create-network   NAME CREATION NUMBER
#   lab.sh delete-network   NAME
#   lab.sh create-cluster   NAME CREATION NUMBER NODE_IMAGE CONFIG ROLES KUBE_CONFIG
#   lab.sh delete-cluster   NAME KUBE_CONFIG
#   lab.sh forget           NAME
# Each is harmless on what is there, or gone, already. bash 3.2 and no GNU extensions: macOS has nothing newer.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

: "${NAME:?}"
readonly records=.records
readonly network_record=$records/$NAME.network.json cluster_record=$records/$NAME.cluster.json
readonly building=$records/$NAME.building
[ -z "${KUBE_CONFIG:-}" ] || export KUBECONFIG=$KUBE_CONFIG

say() { printf '%s\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }
k() { kubectl --context "kind-$NAME" --request-timeout=20s "$@"; }
node_lines() { # node_lines FORMAT: a line for each node container of the cluster, running or not
  docker ps --all --filter "label=io.x-k8s.kind.cluster=$NAME" --format "$1" | sort
}

record() { # record FILE "JSON FIELDS": in one move, so that a plan never reads half a file
  mkdir -p "$records"
  printf '{"number": %d, "creation": "%s", %s}\n' "$NUMBER" "$CREATION" "$2" >"$1.part"
  mv "$1.part" "$1"
}

# --- network -----------------------------------------------------------------------------------------------------------

create_network() {
  local id bridge
  docker network inspect "$NAME" >/dev/null 2>&1 || docker network create --label "srelab=$NAME" "$NAME" >/dev/null
  id=$(docker network inspect --format '{{.Id}}' "$NAME")
  bridge=/sys/class/net/br-$(printf %.12s "$id")/address
  [ -e "$bridge" ] || bridge=""
  record "$network_record" "\"watched\": {\"network $NAME\": \"$bridge\"}"
  say "network $NAME is there"
}

delete_network() {
  docker network inspect "$NAME" >/dev/null 2>&1 || return 0
  docker network rm "$NAME" >/dev/null || die "network $NAME is in use: docker network inspect $NAME names by whom"
}

# --- cluster -----------------------------------------------------------------------------------------------------------

create_cluster() {
  mkdir -p "$records"
  if [ -n "$(node_lines '{{.Names}}')" ]; then
    if [ -e "$building" ]; then
      say "cluster $NAME is half-built, an earlier run was cut short: deleted first"
      kind delete cluster --name "$NAME"
    else
      adopt
      return
    fi
  fi
  : >"$building"
  # Terraform runs no destroy provisioner for what failed to be created: nothing may be left then.
  trap 'kind delete cluster --name "$NAME" && rm -f "$building"' EXIT
  trap 'exit 130' INT TERM
  printf '%s\n' "$CONFIG" \
    | KIND_EXPERIMENTAL_DOCKER_NETWORK=$NAME kind create cluster --name "$NAME" --image "$NODE_IMAGE" --config - 2>&1 \
    || die "kind could not create the cluster"
  wait_ready || die "not every node of $NAME became Ready within 180 s"
  record_cluster
  trap - EXIT
  rm -f "$building"
  say "cluster $NAME is created, its nodes are Ready"
}

adopt() { # a cluster that Terraform does not know is taken over if it is the one that would be created
  local wanted found
  wanted=$(for role in $ROLES; do printf '%s %s running\n' "$role" "$NODE_IMAGE"; done | sort)
  found=$(node_lines '{{.Label "io.x-k8s.kind.role"}} {{.Image}} {{.State}}')
  [ "$wanted" = "$found" ] || die "a cluster $NAME exists that Terraform does not know, and it is another one.
wanted: $(printf %s "$wanted" | tr '\n' ';')
found:  $(printf %s "$found" | tr '\n' ';')
If nobody needs it: kind delete cluster --name $NAME, then apply again"
  kind export kubeconfig --name "$NAME" 2>&1
  wait_ready || die "a cluster $NAME exists that Terraform does not know, and it is not healthy.
If nobody needs it: kind delete cluster --name $NAME, then apply again"
  record_cluster
  say "cluster $NAME was there, with the same nodes, and healthy: adopted; destroy will delete it"
}

wait_ready() { # each node is there and Ready; a node registers some seconds after kind is done
  local until=$((SECONDS + 180)) wanted ready=""
  # shellcheck disable=SC2086
  wanted=$(set -- $ROLES && echo $#)
  until [ "$ready" = "$wanted" ]; do
    [ "$SECONDS" -lt "$until" ] || return 1
    sleep 2
    ready=$(k get nodes --no-headers 2>/dev/null | awk '$2 == "Ready"' | wc -l | tr -d ' ') || true
  done
  say "$ready of $wanted nodes are Ready"
}

record_cluster() {
  local node id folder watched="" volumes="" endpoint network
  for node in $(node_lines '{{.Names}}'); do
    id=$(docker inspect --format '{{.Id}}' "$node")
    folder=$(find /sys/fs/cgroup -maxdepth 6 -type d -name "*$id*" 2>/dev/null | head -n 1 || true)
    watched="$watched, \"$node\": \"${folder:+$folder/cgroup.procs}\""
    volumes="$volumes $(docker inspect --format '{{range .Mounts}}{{if eq .Type "volume"}}{{.Name}} {{end}}{{end}}' "$node")"
    network=$(docker inspect --format '{{range $name, $_ := .NetworkSettings.Networks}}{{$name}}{{end}}' "$node")
  done
  # The rest of a kubeconfig is secret and stays where kind put it.
  endpoint=$(kind get kubeconfig --name "$NAME" | sed -n 's/^ *server: *//p')
  record "$cluster_record" "\"endpoint\": \"$endpoint\", \"network\": \"$network\",
 \"volumes\": \"$(printf %s "$volumes" | tr -s ' ')\", \"watched\": {${watched#, }}"
}

delete_cluster() {
  local volume
  kind delete cluster --name "$NAME" 2>&1
  rm -f "$building"
  # Deleting a node by hand leaves its anonymous volume, which nothing but the record names.
  for volume in $(sed -n 's/.*"volumes": "\([^"]*\)".*/\1/p' "$cluster_record" 2>/dev/null); do
    docker volume inspect "$volume" >/dev/null 2>&1 && docker volume rm "$volume" >/dev/null || true
  done
}

forget() {
  rm -f "$network_record" "$cluster_record" "$building"
  rmdir "$records" 2>/dev/null || true
}

case "${1:-}" in
  create-network) create_network ;;
  delete-network) delete_network ;;
  create-cluster) create_cluster ;;
  delete-cluster) delete_cluster ;;
  forget) forget ;;
  *) die "Terraform runs this; the commands are in its first lines" ;;
esac
