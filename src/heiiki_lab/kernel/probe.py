"""First program of the self-test's guest: tries each thing that the lab needs of the kernel, then powers off.

Runs in the guest with its Python and nothing else. Prints `probe NAME: ok` or `failed DETAIL`.
"""

import ctypes
import os
import socket
import subprocess
import sys

_POWER_OFF = 0x4321FEDC
_ETHERTYPE = 0x88B5  # set apart for experiments by IEEE 802
_SCTP = 132
_MOUNTS = "proc /proc", "sysfs /sys", "devtmpfs /dev", "tmpfs /tmp", "tmpfs /run"
_COMMANDS = {
    "network namespace and veth": "ip netns add x && ip link add v0 type veth peer name v1 netns x",
    "bridge, macvlan, dummy, tun": (
        "ip link add b0 type bridge && ip link add d0 type dummy && ip link add link d0 m0 type macvlan && "
        "ip tuntap add t0 mode tun"
    ),
    "VRF": "ip link add vrf0 type vrf table 10 && ip link set d0 master vrf0",
    "MPLS": (
        "sysctl -qw net.mpls.platform_labels=1000 && ip link set v0 up && ip addr add 192.0.2.1/24 dev v0 && "
        "ip -f mpls route add 100 via inet 192.0.2.2 && "
        "ip route add 198.51.100.0/24 encap mpls 200 via inet 192.0.2.2"
    ),
    "GRE": "ip link add g0 type gre local 192.0.2.1 remote 192.0.2.2",
    "GTP": "ip link add gtp0 type gtp role ggsn",
    "PPPoE": ("test -c /dev/ppp && python3 -c 'import socket; socket.socket(24, socket.SOCK_STREAM, 0)'"),
    "netem": "tc qdisc add dev v0 root netem loss 100% delay 20ms",
    "shaping": (
        "tc qdisc add dev g0 root handle 1: tbf rate 9mbit burst 22500 limit 22500 overhead 61 && "
        "tc qdisc add dev g0 parent 1:1 handle 2: prio bands 2 priomap 1 1 1 1 1 1 1 0 1 1 1 1 1 1 1 1 && "
        "tc qdisc add dev g0 parent 2:2 handle 4: fq_codel limit 1000"
    ),
    "line of a certain rate": "tc qdisc add dev d0 root netem rate 10000kbit -14",
    "nftables inet, ip, arp, bridge, netdev": "nft -f /mnt/families.nft",
    "IPsec AES-GCM": (
        "ip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 1 mode tunnel "
        "aead 'rfc4106(gcm(aes))' 0x0102030405060708090a0b0c0d0e0f1011121314 128"
    ),
    "read-only root": "! touch /probe",
    "RAM overlay over the root": (
        "mkdir /tmp/up /tmp/work /tmp/root && "
        "mount -t overlay -o lowerdir=/,upperdir=/tmp/up,workdir=/tmp/work none /tmp/root && "
        "touch /tmp/root/probe"
    ),
}


def _say(name: str, failure: str) -> None:
    detail = " ".join(failure.split())
    sys.stdout.write(f"probe {name}: {'failed ' + detail if failure else 'ok'}\n")
    sys.stdout.flush()


def _try_command(name: str, command: str) -> None:
    done = subprocess.run(["/bin/sh", "-ec", command], capture_output=True, text=True, check=False)
    _say(name, "" if done.returncode == 0 else f"code {done.returncode}: {done.stdout}{done.stderr}")


def _try_sctp() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, _SCTP) as server:
        server.bind(("127.0.0.1", 36412))
        server.listen()
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM, _SCTP) as client:
            client.settimeout(2)
            client.connect(server.getsockname())


def _try_vec0() -> None:
    """Send one frame out of the guest; the other end sends it back."""
    subprocess.run(["/usr/sbin/ip", "link", "set", "vec0", "up"], check=True)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETHERTYPE)) as port:
        port.bind(("vec0", _ETHERTYPE))
        port.settimeout(2)
        frame = b"\xff" * 6 + b"\x02\0\0\0\0\1" + _ETHERTYPE.to_bytes(2, "big") + b"heiiki".ljust(50, b"\0")
        port.send(frame)
        while port.recvfrom(2048)[1][2] == socket.PACKET_OUTGOING:
            pass


def _processors(wanted: int) -> str:
    found = os.cpu_count()
    return "" if found == wanted else f"{found} processors, {wanted} asked"


def _main() -> None:
    for mount in _MOUNTS:
        subprocess.run(["/usr/bin/mount", "none", "-t", *mount.split()], check=True)
    subprocess.run(["/usr/sbin/ip", "link", "set", "lo", "up"], check=True)
    _say("processors", _processors(int(os.environ["PROCESSORS"])))
    for name, command in _COMMANDS.items():
        _try_command(name, command)
    for name, attempt in (("SCTP", _try_sctp), ("vec0", _try_vec0)):
        try:
            attempt()
        except (OSError, subprocess.CalledProcessError) as error:
            _say(name, str(error))
        else:
            _say(name, "")


if __name__ == "__main__":
    try:
        _main()
    finally:
        ctypes.CDLL(None).reboot(_POWER_OFF)
