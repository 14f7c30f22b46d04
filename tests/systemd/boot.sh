#!/usr/bin/env bash
# The service under a real systemd: a Debian is made with debootstrap, booted with systemd-nspawn in a network of its own,
# and inside.sh installs the program there by the commands of docs/OPERATING.md and sees what becomes of it.
#
#   tests/systemd/boot.sh [FOLDER]        FOLDER (default build/systemd) keeps the Debian and the wheels for the next time
#
# Needs root, systemd-nspawn, and mmdebstrap or debootstrap. Exit 0: every check passed; 77: cannot be run here.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd); project=$(cd "$here/../.." && pwd)
work=$(mkdir -p "${1:-$project/build/systemd}" && cd "${1:-$project/build/systemd}" && pwd)
suite=bookworm

skip() { echo "skipped: $*" >&2; exit 77; }
[ "$(id -u)" = 0 ] || skip "needs root"
command -v systemd-nspawn >/dev/null || skip "needs systemd-nspawn (Debian: systemd-container)"
command -v mmdebstrap >/dev/null || command -v debootstrap >/dev/null || skip "needs mmdebstrap or debootstrap"
command -v unshare >/dev/null || skip "needs unshare"
unshare --mount --pid --net --fork sh -c 'mount --make-rprivate / && mount -t tmpfs tmpfs /run' 2>/dev/null \
    || skip "this machine allows no namespaces"
{ [ -d /sys/fs/cgroup/systemd ] && [ -w /sys/fs/cgroup/systemd ]; } || [ -w /sys/fs/cgroup/cgroup.procs ] \
    || skip "this machine allows no control groups"
python=$(command -v "$project/.venv/bin/python") || skip "needs .venv (make .venv/.ready)"
[ "$("$python" -c 'import sys; print(*sys.version_info[:2])')" = "3 11" ] || skip "needs Python 3.11, that of Debian 12"

packages=systemd,systemd-sysv,dbus,python3,python3-venv,curl,iproute2,procps
make_debian() {
    [ ! -e "$work/base/.complete" ] || return 0
    rm -rf "$work/base"
    if command -v mmdebstrap >/dev/null; then
        mmdebstrap --quiet --variant=minbase --include="$packages" --aptopt='Acquire::Languages "none"' \
            --dpkgopt='force-unsafe-io' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
            "$suite" "$work/base"
    else
        debootstrap --variant=minbase --include="$packages" "$suite" "$work/base"
    fi && touch "$work/base/.complete"
}

# what `pip install .` needs, so that it works without a network
sums=$(cat "$project"/constraints.txt "$project"/constraints-build.txt | sha256sum | cut -c1-16)
make_wheels() {
    [ ! -d "$work/wheels-$sums" ] || return 0
    rm -rf "$work"/wheels-* "$work/wheels.new"
    "$python" -m pip -q wheel --no-deps --no-build-isolation -r "$project/constraints-build.txt" -w "$work/wheels.new"
    "$python" -m pip -q wheel --no-deps --no-build-isolation -r "$project/constraints.txt" -w "$work/wheels.new"
    mv "$work/wheels.new" "$work/wheels-$sums"
}
make_wheels >"$work/wheels.log" 2>&1 &
make_debian >"$work/debian.log" 2>&1 || { tail -5 "$work/debian.log"; wait; skip "no Debian could be made"; }
wait $! || { tail -20 "$work/wheels.log"; exit 1; }
echo "# a Debian and the wheels are there (after $SECONDS s)"

root="$work/root"; rm -rf "$root"; cp -a "$work/base" "$root"
mkdir -p "$root/src" "$root/trial"
git -C "$project" ls-files -z | tar -C "$project" --null -T - -cf - | tar -C "$root/src" -xf -
cp -r "$work/wheels-$sums" "$root/wheels"
cp "$here/inside.sh" "$here/publisher.py" "$root/trial/"
cat >"$root/etc/systemd/system/trial.service" <<'UNIT'
[Unit]
Description=The trial
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/bash /trial/inside.sh
StandardOutput=file:/trial/output
StandardError=file:/trial/output
TimeoutStartSec=infinity
ExecStopPost=/bin/systemctl --no-block poweroff
UNIT
mkdir -p "$root/etc/systemd/system/default.target.wants"
ln -sf ../trial.service "$root/etc/systemd/system/default.target.wants/trial.service"
ln -sf /lib/systemd/system/multi-user.target "$root/etc/systemd/system/default.target"

# mounts and cgroups of its own: nothing of it is seen outside, nor left behind
timeout --kill-after=10 900 unshare --mount --fork bash -c '
    mount --make-rprivate / && mount -t tmpfs tmpfs /run
    exec systemd-nspawn --quiet --boot --directory="$1" --machine=aggregator-trial --register=no --keep-unit \
        --resolv-conf=off --private-network --console=pipe' boot "$root" >"$work/console" 2>&1 </dev/null || true
cat "$root/trial/output" 2>/dev/null || { tail -30 "$work/console"; skip "systemd did not boot here"; }
grep -q '^all checks passed$' "$root/trial/output"
