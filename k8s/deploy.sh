#!/usr/bin/env bash
# Rolls an overlay out with these two images, and goes back to what ran before when it does not come up and serve.
#
#   k8s/deploy.sh OVERLAY API_IMAGE WORKER_IMAGE
#
# KUBECONFIG names the cluster. Exit code: 0 it serves; 1 it does not, and what ran before runs again; 2 that does not
# either, or there was nothing before, and somebody has to look; 64 wrong usage, or an overlay that takes other images.
set -euo pipefail

if (($# != 3)) || [[ -z $1 || -z $2 || -z $3 ]]; then
    echo "usage: k8s/deploy.sh OVERLAY API_IMAGE WORKER_IMAGE" >&2
    exit 64
fi
overlay=$1 api_image=$2 worker_image=$3
cd "$(dirname "$0")/overlays/$overlay"

# Workers load a model, and drain what they hold: ten minutes; the API is there in one.
declare -A patience=([api]=5m [worker]=15m)
parts=(api worker)
namespace=$(sed -n 's/^namespace: *//p' kustomization.yaml)

kube() { kubectl --namespace "$namespace" "$@"; }

# Nothing while there is no such Deployment.
revision() {
    kube get deployment "$1" --ignore-not-found \
        --output 'jsonpath={.metadata.annotations.deployment\.kubernetes\.io/revision}'
}

declare -A before
for part in "${parts[@]}"; do before[$part]=$(revision "$part"); done

wait_for_rollouts() {
    local part
    for part in "${parts[@]}"; do
        kube rollout status "deployment/$part" --timeout "${patience[$part]}" || return 1
    done
}

# Through the Service, as clients come. Workers are consuming: their rollout waits for that.
serves() {
    local try
    for try in 1 2 3; do # One that is lost on its way is no reason to go back.
        kube get --raw "/api/v1/namespaces/$namespace/services/api:http/proxy/readyz" >/dev/null && return
        ((try == 3)) || sleep 2
    done
    return 1
}

# To a revision by its number: a part that this release did not change must not go back beyond it.
go_back() {
    local part now back=yes
    for part in "${parts[@]}"; do
        now=$(revision "$part")
        if [[ -z ${before[$part]} ]]; then
            echo "deploy: $part did not run before, so there is nothing to go back to" >&2
            return 1
        elif [[ $now != "${before[$part]}" ]]; then
            kube rollout undo "deployment/$part" --to-revision "${before[$part]}" || back=
        fi
    done
    # One that stays where it is may well serve by now; it is not what ran before.
    wait_for_rollouts && serves && [[ -n $back ]]
}

kustomize edit set image "neoserve-api=$api_image" "neoserve-worker=$worker_image"
# An overlay below this one that has renamed an image would leave nothing for that to find.
rendered=$(kubectl kustomize .)
for image in "$api_image" "$worker_image"; do
    if [[ $rendered$'\n' != *"image: $image"$'\n'* ]]; then
        echo "deploy: $overlay does not take $image; is another one named in an overlay below it? Nothing was applied" >&2
        exit 64
    fi
done

if kubectl apply --kustomize . && wait_for_rollouts && serves; then
    echo "deploy: $api_image and $worker_image serve"
    exit 0
fi
echo "deploy: the release does not come up; going back" >&2
if go_back; then
    echo "deploy: what ran before runs again" >&2
    exit 1
fi
echo "deploy: what ran before does not run either: look at it with kubectl --namespace $namespace get pods" >&2
exit 2
