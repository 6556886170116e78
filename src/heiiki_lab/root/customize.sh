#!/bin/sh
# Last step of the guest's root, run by mmdebstrap from outside: customize.sh PYTHON SERVER ROOT
# PYTHON: folder of unpacked Python packages. SERVER: OpenBao's program.
set -eu
python=$1
server=$2
root=$3

# Names, keys and addresses of the building machine have no place in a root that is cached and shared.
rm -f "$root/etc/hostname" "$root/etc/resolv.conf" "$root/etc/apt/sources.list" "$root"/etc/ssh/ssh_host_*
rm -f "$root/etc/machine-id" "$root/var/lib/dbus/machine-id"

# A setuid `mount` would lose guest root when the guest runs in a user namespace.
find "$root" -xdev -type f -perm /6000 -exec chmod a-s {} +

# In a node systemd runs what is provisioned, and nothing of Debian's own: no logins, no udev, no timers.
rm -rf "$root"/etc/systemd/system/*.wants "$root"/usr/lib/systemd/system/*.wants
rm -f "$root"/usr/lib/systemd/system-generators/*

# No journal runs there: what a service says is in a file of its own.
mkdir -p "$root/var/log/heiiki" "$root/usr/lib/systemd/system/service.d"
cat >"$root/usr/lib/systemd/system/service.d/50-log.conf" <<'END'
[Service]
StandardOutput=append:/var/log/heiiki/%p.log
StandardError=inherit
END

# The root is read-only at run time: what is not compiled now is compiled at every import.
mkdir -p "$root/opt/heiiki/site-packages"
cp -R "$python/." "$root/opt/heiiki/site-packages"
chown -R 0:0 "$root/opt/heiiki"
chroot "$root" python3 -W ignore -m compileall -q /opt/heiiki/site-packages

# The very file of the published wheel: its digest can be compared.
install -m 0755 -o 0 -g 0 "$server" "$root/usr/local/bin/bao"

# The guest may run as an ordinary user: everything must be readable for all. proc, sys and dev are mounts now.
find "$root" -xdev \( -path "$root/proc" -o -path "$root/sys" -o -path "$root/dev" \) -prune -o ! -type l -exec chmod a+rX {} +
