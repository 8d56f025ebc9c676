#!/usr/bin/env bash
# unpack_monitoring.sh FOLDER: unpacks there what this machine lacks of Debian's Prometheus, its tools and its Redis exporter.
# It needs apt and the network, but no root: apt keeps its lists in a folder that is thrown away.
set -euo pipefail

here() { command -v "$1" >/dev/null; }

if here prometheus && here promtool && here amtool && here prometheus-redis-exporter; then
    exit 0
fi
if ! here apt-get || ! here dpkg-deb; then
    echo "make: Prometheus, Alertmanager and a Redis exporter are not all installed here; tests that need them are skipped"
    exit 0
fi

target=$(realpath -m "$1")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
mkdir -p state lists/partial cache/archives/partial unpacked
options=(-o "Dir::State=$scratch/state" -o "Dir::State::Lists=$scratch/lists" -o "Dir::Cache=$scratch/cache")
options+=(-o Debug::NoLocking=1 -o APT::Sandbox::User= -o Acquire::Retries=1 -o Acquire::http::Timeout=10)

echo "make: unpacking Prometheus"
apt-get -qq "${options[@]}" update
# With the scripts of its pages; one of them draws with d3.
pages=$(apt-cache "${options[@]}" depends prometheus | grep -oE 'Depends: (libjs|fonts)-[^ ]+' | sed 's/Depends: //')
# shellcheck disable=SC2086 # words are packages
apt-get -qq "${options[@]}" download prometheus prometheus-alertmanager prometheus-redis-exporter libjs-d3 $pages
for package in *.deb; do
    dpkg-deb -x "$package" unpacked
done
# Debian's Alertmanager reads its templates below /usr and runs only where it was installed; amtool needs none.
rm unpacked/usr/bin/prometheus-alertmanager
rm -rf unpacked/usr/share/javascript/moment-timezone/data # 200 MB that no page reads
rm -rf "$target"
mkdir -p "$(dirname "$target")"
mv unpacked "$target"
