#!/bin/bash
# Runs in the booted Debian of boot.sh. One line a check: "ok NAME" or "NOT OK NAME".
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8
export PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
manual=/src/docs/OPERATING.md; config=/etc/aggregator/config.toml; site=http://127.0.0.1:8080
publisher=10.9.8.7:18530
failed=0

check() { # NAME COMMAND…
    local name=$1; shift
    if "$@" >/trial/last 2>&1; then echo "ok $name"; else
        failed=$((failed + 1)); echo "NOT OK $name"; sed 's/^/    /' /trial/last | tail -20
    fi
}
note() { echo "   $*"; }
section() { echo "# $* (after $SECONDS s)"; }
until_true() { # SECONDS COMMAND…
    local end=$((SECONDS + $1)); shift
    while ! "$@" >/dev/null 2>&1; do [ $SECONDS -lt $end ] || return 1; sleep .2; done
}
# the commands of a section of the manual: its first block of shell
commands() { awk -v h="## $1" '$0 == h {s = 1; next} /^## / {s = 0} s && /^```sh/ {b = 1; next} b && /^```/ {exit} b' "$manual"; }
by_the_manual() { cd /src && commands "$1" >/trial/commands && test -s /trial/commands && bash -ex /trial/commands; }
items() { curl -fs -m 5 "$site/feeds/latest.json" | grep -o '"title": *"Item number' | wc -l; }
has_items() { [ "$(items)" -ge "$1" ]; }
answers() { [ "$(curl -s -m 5 -o /dev/null -w '%{http_code}' "$site$1")" = "$2" ]; }
property() { systemctl show aggregator.service -p "$1" --value; }
is() { [ "$(property "$1")" = "$2" ]; }
not() { ! "$@"; }
aggregator() { /opt/aggregator/bin/aggregator --config "$config" "$@"; }
taken_ms() { local t=$(date +%s%3N); "$@" >/trial/last 2>&1; local rc=$?; took=$(($(date +%s%3N) - t)); return $rc; }

ip addr add 10.9.8.7/32 dev lo
ip link set lo up
python3 /trial/publisher.py 10.9.8.7 18530 & publisher_pid=$!

section "install"
check "installed by the manual's commands" by_the_manual "As a service"
check "the service and its socket are active" systemctl is-active aggregator.service aggregator.socket
check "it answers through the socket" until_true 20 answers /healthz 200
note "exposure: $(systemd-analyze security aggregator.service --no-pager 2>/dev/null | tail -1)"
check "exposure is 1.1 at most" systemd-analyze security --threshold=11 aggregator.service --no-pager

section "follow a publisher"
cp "$config" /trial/config.shipped
cat >"$config" <<CONFIG
[site]
url = "$site"
contact = "https://example.org/trial"
[server]
listen = "127.0.0.1:8080"
[polling]
min_interval = "1s"
max_interval = "2s"
allow_private_addresses = ["10.9.8.7/32"]
[[sources]]
url = "http://$publisher/feed"
section = "World"
interval = "2s"
CONFIG
cp "$config" /trial/config.good
check "a good configuration is reloaded" systemctl reload aggregator
check "the items of a publisher are stored" until_true 60 has_items 3
check "ready" answers /readyz 200

section "reload with an error"
echo '[polling_]' >>"$config"
check "a reload with an error fails" not systemctl reload aggregator
check "the service goes on" systemctl is-active aggregator.service
before=$(curl -s "http://$publisher/count"); 
more_polled() { [ "$(curl -s "http://$publisher/count")" -gt "$((before + 1))" ]; }
check "polling goes on with the former configuration" until_true 30 more_polled
cp /trial/config.good "$config"
check "the repaired configuration is reloaded" systemctl reload aggregator

section "watchdog"
mkdir -p /etc/systemd/system/aggregator.service.d
printf '[Service]\nWatchdogSec=6\nRestartSec=1\n' >/etc/systemd/system/aggregator.service.d/trial.conf
systemctl daemon-reload; systemctl restart aggregator.service
until_true 20 answers /healthz 200
restarts=$(property NRestarts)
kill -STOP "$(property MainPID)"
restarted() { [ "$(property NRestarts)" -gt "$restarts" ] && systemctl is-active -q aggregator.service; }
taken_ms until_true 40 restarted; rc=$?
note "a stopped process was replaced after $took ms (WatchdogSec=6)"
check "the watchdog replaces a process that hangs" [ $rc = 0 ]
check "it answers again" until_true 20 answers /readyz 200

section "kill"
restarts=$(property NRestarts)
kill -KILL "$(property MainPID)"
check "a killed process is replaced" until_true 30 restarted
check "nothing is lost" until_true 30 has_items 3
count=$(items); check "polls go on after it" until_true 60 has_items $((count + 1))

section "stop"
taken_ms systemctl stop aggregator.socket aggregator.service
note "stopped in $took ms"
check "it stops within five seconds" [ "$took" -lt 5000 ]
check "with a good exit" is ExecMainStatus 0
printf '[Unit]\nStartLimitBurst=2\n' >/etc/systemd/system/aggregator.service.d/burst.conf; systemctl daemon-reload
by_hand() { for _ in 1 2 3; do systemctl start aggregator && systemctl stop aggregator.socket aggregator.service || return 1; done; }
check "by hand it starts as often as one likes" by_hand
rm /etc/systemd/system/aggregator.service.d/burst.conf; systemctl daemon-reload

section "start with an error"
echo '[polling_]' >>"$config"
systemctl start aggregator.socket
check "a start with an error fails" not systemctl start aggregator.service
check "with exit code 78" is ExecMainStatus 78
sleep 1
check "and is not repeated" is SubState failed
check "the message names file and line" bash -c "journalctl -u aggregator.service -o cat | grep -q 'config.toml:[0-9]*: '"
check "a request does not start it again" not curl -s -m 2 -o /dev/null "$site/"
for _ in 1 2; do systemctl start aggregator.service 2>/dev/null; done
cp /trial/config.good "$config"
check "after three such starts and the repair, systemctl start works" systemctl start aggregator
check "and it answers" until_true 20 answers /readyz 200
check "through the socket" systemctl is-active aggregator.socket

section "crash loop"
printf '[Service]\nExecStart=\nExecStart=/bin/false\nRestartSec=100ms\n' >/etc/systemd/system/aggregator.service.d/crash.conf
systemctl daemon-reload; systemctl stop aggregator.socket aggregator.service; systemctl reset-failed
systemctl start aggregator.service
failed_for_good() { is ActiveState failed; }
check "a crash loop ends" until_true 30 failed_for_good
note "after $(property NRestarts) restarts"
check "after five starts" [ "$(property NRestarts)" -le 5 ]
rm /etc/systemd/system/aggregator.service.d/crash.conf; systemctl daemon-reload; systemctl reset-failed

section "full disk of the state directory, at the start and while it runs"
state=/var/lib/private/aggregator
systemctl start aggregator.socket aggregator.service; until_true 20 answers /readyz 200; until_true 60 has_items 3
check "commands as root find the store" aggregator status
check "files are for their owner only" bash -c "! find $state -type f -perm /077 | grep ."

section "backup and restore"
mkdir -p "$state/backup"
check "a backup while it runs" aggregator backup "$state/backup/aggregator-20260131T030000Z.db"
count=$(items)
check "restored by the manual's commands" by_the_manual "Backups"
check "it answers after the restore" until_true 30 answers /readyz 200
check "and has the items" until_true 30 has_items "$((count < 3 ? count : 3))"

section "damage"
systemctl stop aggregator.socket aggregator.service
python3 - "$state/aggregator.db" <<'PY'
import os, sys
path = sys.argv[1]
with open(path, "r+b") as file:
    file.seek(os.path.getsize(path) // 2)
    file.write(b"\xff" * 60000)
PY
check "it starts with a damaged store" systemctl start aggregator.socket aggregator.service
check "from its newest backup" until_true 30 has_items 1
check "and says so" bash -c "journalctl -u aggregator.service -o cat | grep -q 'store mended'"

section "upgrade"
sed -i 's/^__version__ = .*/__version__ = "0.1.1"/' /src/aggregator/__init__.py
sed -i 's/^version = "0.1.0"/version = "0.1.1"/' /src/pyproject.toml
count=$(items)
check "a newer version is installed" bash -c "cd /src && /opt/aggregator/bin/pip install -q --upgrade ."
check "polls go on under the running one" until_true 30 more_polled
check "and takes over" systemctl restart aggregator.service
check "it is the newer one" until_true 20 bash -c "curl -s $site/metrics | grep -q 'version=\"0.1.1\"'"
check "with all items" has_items 1

section "what the log says"
check "no traceback in the journal" bash -c "! journalctl -u aggregator.service -o cat | grep Traceback"
check "no parse process failed" bash -c "! journalctl -u aggregator.service -o cat | grep -E 'parse-crash|no parse process'"

section "remove"
check "removed by the manual's commands" by_the_manual "Removing it"
check "nothing is left" bash -c "! ls -d /opt/aggregator /etc/aggregator /var/lib/aggregator /var/lib/private/aggregator /etc/systemd/system/aggregator.* 2>/dev/null"

kill $publisher_pid
[ $failed = 0 ] && echo "all checks passed" || { echo "$failed checks failed"; journalctl -u aggregator.service -o cat --no-pager | tail -60; }
