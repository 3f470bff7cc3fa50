#!/bin/sh
# The one file for `kubectl apply -f`, from the readable parts:  sh k8s/bootstrap/join.sh > k8s/bootstrap.yaml
set -eu
cd "$(dirname "$0")/.."
echo "# Joined by k8s/bootstrap/join.sh from k8s/bootstrap/, k8s/argocd/ and k8s/git-server/: edit there."
# Kinds, accounts and rights before the pods that need them; the first Application last.
cat bootstrap/1-*.yaml bootstrap/2-*.yaml argocd/*.yaml git-server/*.yaml bootstrap/3-*.yaml
