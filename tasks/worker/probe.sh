#!/usr/bin/env bash
# probe.sh live|ready: ends with 0 if the worker of this machine is, else with 1.
# A probe asks every few seconds for as long as a worker lives; so it starts no program, Python least of all.

case ${1-} in
live | ready) ;;
*)
    echo "usage: probe.sh live|ready" >&2
    exit 1
    ;;
esac
if [[ -z ${NEOSERVE_HEALTH_FILE-} ]]; then
    echo "NEOSERVE_HEALTH_FILE is not set: the worker writes no health file" >&2
    exit 1
fi
if read -r state until 2>/dev/null <"$NEOSERVE_HEALTH_FILE" &&
    [[ $until =~ ^[0-9]+$ ]] && ((until >= ${EPOCHSECONDS:-$(date +%s)})) &&
    [[ $1 == live || $state == ready ]]; then
    exit 0
fi
echo "the worker is not $1" >&2
exit 1
