"""Both ends of a wired LAN with IEEE 802.1X, each in namespaces of its own, with what they are sent.

hostapd, wpa_supplicant and nft are Debian's. Files are those of the plan, at their places: each end has a
file system of its own for /etc and /run. Between them is a veth pair, which has a carrier while both ends of
it are up.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import debian_packages
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from dot1x_service import controlled
from fake_vault import Authority
from waiting import awaited

import heiiki_agent
from heiiki_agent.dot1x import places

PACKAGES = (
    *("hostapd", "wpasupplicant", "nftables", "libnftables1", "libnftnl11", "libmnl0", "libjansson4"),
    *("libnl-3-200", "libnl-genl-3-200", "libnl-route-3-200", "libdbus-1-3", "libpcsclite1", "libedit2"),
    *("libxtables12", "libreadline8", "libssl3"),
)
GATEWAY, CONTROLLER = "namba-gw", "namba-erc"
_LIBRARIES = ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu")
_SOURCES = Path(heiiki_agent.__file__).parents[1]
_APART = "mount -t tmpfs none /etc && mount -t tmpfs none /run && echo ready && exec sleep 600"
_ECHO = """
import json, socket, struct, sys, time
own, peer, source, target, within = sys.argv[1:]
def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF
mark = time.monotonic_ns().to_bytes(8, "big")
def icmp(kind):
    body = struct.pack("!BBHHH", kind, 0, 0, 77, 1) + mark
    return body[:2] + struct.pack("!H", checksum(body)) + body[4:]
ends = socket.inet_aton(source) + socket.inet_aton(target)
def packet(check):
    return struct.pack("!BBHHHBBH", 0x45, 0, 36, 0, 0, 64, 1, check) + ends
frame = bytes.fromhex((peer + own).replace(":", "")) + b"\\x08\\x00" + packet(checksum(packet(0))) + icmp(8)
with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800)) as wire:
    wire.bind(("lan0", 0x0800))
    wire.send(frame)
    until = time.monotonic() + float(within)
    answered = False
    while not answered and (left := until - time.monotonic()) > 0:
        wire.settimeout(left)
        try:
            seen = wire.recv(2048)
        except TimeoutError:
            break
        answered = seen[34:35] == b"\\0" and mark in seen
print(json.dumps(answered))
"""
"""Sends an echo request in a frame of its own, by a link address that it is told, and waits for an answer."""


def why_not() -> str:
    """Return why the ends cannot be made here, or nothing."""
    if os.geteuid() != 0 or any(shutil.which(one) is None for one in ("ip", "unshare", "nsenter")):
        return "needs root, iproute2 and util-linux for namespaces"
    return "" if _programs() is not None else "apt cannot fetch hostapd, wpasupplicant and nftables"


def _programs() -> Path | None:
    return debian_packages.unpacked("dot1x", PACKAGES)


class End:
    """One device, in namespaces of its own."""

    def __init__(self, device: str) -> None:
        """Begin, with a file system in memory for /etc and /run."""
        plan, builds = controlled()
        self.device = plan.device(device)
        self._files = next(one for one in builds if one.device == device).files
        argv = ["unshare", "--mount", "--net", "--propagation", "private", "sh", "-ec", _APART]
        self._holder = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == "ready\n"
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}
        self.logs: dict[str, Path] = {}

    @property
    def pid(self) -> int:
        return self._holder.pid

    @property
    def link_address(self) -> str:
        return self.device.interface("lan0").link_address or ""

    @property
    def address(self) -> str:
        return str(self.device.interface("lan0").addresses[0].ip)

    def path(self, path: str | Path) -> Path:
        """Return where a file of the device is, seen from outside."""
        return Path(f"/proc/{self.pid}/root{path}")

    def write(self, path: str | Path, text: str) -> None:
        place = self.path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")

    def argv(self, *argv: str) -> list[str]:
        return ["nsenter", "--target", str(self.pid), "--mount", "--net", "--", *argv]

    def environment(self) -> dict[str, str]:
        root = _programs()
        assert root is not None
        found = ":".join(f"{root}/{one}" for one in ("usr/sbin", "sbin"))
        return os.environ | {
            "LD_LIBRARY_PATH": ":".join(f"{root}/{one}" for one in _LIBRARIES),
            "PATH": f"{found}:{os.environ['PATH']}",
            "PYTHONPATH": str(_SOURCES),
        }

    def run(self, *argv: str) -> str:
        done = subprocess.run(
            self.argv(*argv), env=self.environment(), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{argv}: {done.stderr}"
        return done.stdout

    def agent(self, *arguments: str) -> Any:
        """Return what a command of the agent prints, which may fail."""
        command = self.argv(sys.executable, "-m", "heiiki_agent", *arguments)
        done = subprocess.run(command, env=self.environment(), capture_output=True, text=True, check=False)
        return json.loads(done.stdout) if done.stdout.startswith("{") else done.stderr or done.stdout

    def settle(self, other: "End") -> None:
        """Bring up the link, and load what the device is sent."""
        for unit in (places.AUTHENTICATOR, places.SUPPLICANT):
            self.path(f"/run/{unit}").mkdir()
        self.write("/etc/protocols", "icmp 1\ntcp 6\nudp 17\ngre 47\nesp 50\n")
        for file in self._files:
            self.write(file.path, file.content)
        self.run("ip", "link", "set", "lan0", "address", self.link_address)
        # As the plan has it; else the kernel says things of its own by IPv6.
        self.run("sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6")
        self.run("ip", "link", "set", "lo", "up")
        self.run("ip", "link", "set", "lan0", "up")
        self.run("ip", "address", "add", f"{self.address}/28", "dev", "lan0")
        self.run(*f"ip neigh replace {other.address} lladdr {other.link_address} dev lan0".split())
        self.run("nft", "-f", "/etc/nftables.conf")

    def start(self, name: str, *argv: str) -> None:
        assert name not in self._daemons, f"{name} runs already"
        log = self.path(f"/run/{name}.log")
        self.logs[name] = log
        with log.open("ab") as said:
            process = subprocess.Popen(self.argv(*argv), env=self.environment(), stdout=said, stderr=said)
        self._daemons[name] = process

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        process = self._daemons.pop(name)
        process.send_signal(number)
        process.wait(20)

    def start_port(self) -> None:
        command = ("-m", "heiiki_agent", "dot1x", "port", str(places.PORT_CONFIG))
        self.start("port", sys.executable, *command)

    def let_in(self) -> list[str]:
        """Return whom the kernel lets in."""
        said = json.loads(self.run("nft", "-j", "list", "set", "inet", "heiiki", "let_in"))
        (found,) = (one["set"] for one in said["nftables"] if "set" in one)
        return [one["elem"]["val"] for one in found.get("elem", ())]

    def counter(self, name: str) -> int:
        said = json.loads(self.run("nft", "-j", "list", "counter", "inet", "heiiki", name))
        return next(int(one["counter"]["packets"]) for one in said["nftables"] if "counter" in one)

    def echo(self, other: "End", own: str = "", within: float = 5.0) -> bool:
        """Tell whether `other` answers an echo request that has the link address `own`."""
        ends = (own or self.link_address, other.link_address, self.address, other.address)
        return bool(json.loads(self.run(sys.executable, "-c", _ECHO, *ends, str(within))))

    def close(self) -> None:
        for name in tuple(self._daemons):
            self.kill(name)
        self._holder.kill()
        self._holder.communicate()


class Issuer:
    """The service's CA, and what it issues; a device's store and copies are filled from it."""

    def __init__(self) -> None:
        self.root = Authority("root")
        self.issuing = Authority("issuing", self.root)
        self._revoked: tuple[int, ...] = ()
        self._number = 1

    def issue(self, end: End, **how: Any) -> str:
        """Give an end a certificate of its own names, or of what `how` says; return its serial number."""
        identity = end.device.identity
        assert identity is not None
        dns = list(how.get("dns", identity.dns))
        key = ec.generate_private_key(ec.SECP256R1())
        signer: Authority = how.get("signer", self.issuing)
        since = timedelta(days=-9) if how.get("expired") else timedelta(minutes=-1)
        made = signer.sign(key.public_key(), dns[0], {"dns": dns}, 1.0 if how.get("expired") else 10.0, since)
        encoding = serialization.Encoding.PEM
        kind = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        pem = made.public_bytes(encoding).decode()
        self._write(end, "certificate.pem", pem + signer.pem)
        self._write(end, "key.pem", key.private_bytes(encoding, *kind).decode())
        end.write("/etc/heiiki/pki/current/certificate.pem", pem)
        end.write("/etc/heiiki/pki/current/chain.pem", signer.pem)
        return str(made.serial_number)

    def revoke(self, serial: str) -> None:
        self._revoked = (*self._revoked, int(serial))
        self._number += 1

    def publish(self, *ends: End) -> None:
        """Give ends the CAs and the newest lists."""
        lists = self.issuing.crl(self._number, self._revoked) + self.root.crl(self._number)
        trust = self.root.pem + self.issuing.pem
        for end in ends:
            self._write(end, "trust.pem", trust)
            self._write(end, "verify.pem", trust + lists)
            end.write("/etc/heiiki/pki/roots.pem", self.root.pem)
            end.write("/etc/heiiki/pki/issuers.pem", self.issuing.pem)
            end.write("/etc/heiiki/pki/crl.pem", lists)

    @staticmethod
    def _write(end: End, name: str, text: str) -> None:
        end.write(places.CREDENTIALS / name, text)


@contextmanager
def wire() -> Iterator[tuple[End, End]]:
    """Yield gateway and controller, joined by a cable, each with its filter and nothing else."""
    gateway, controller = End(GATEWAY), End(CONTROLLER)
    try:
        joined = f"ip link add lan0 netns {gateway.pid} type veth peer name lan0 netns {controller.pid}"
        subprocess.run(joined.split(), check=True)
        gateway.settle(controller)
        controller.settle(gateway)
        yield gateway, controller
    finally:
        controller.close()
        gateway.close()


def start_hostapd(end: End) -> None:
    end.start("hostapd", "hostapd", str(places.AUTHENTICATOR_CONFIG))


def start_supplicant(end: End) -> None:
    argv = ("wpa_supplicant", "-D", "wired", "-i", "lan0", "-c", str(places.SUPPLICANT_CONFIG))
    end.start("supplicant", *argv)
    command = ("-m", "heiiki_agent", "dot1x", "guard", str(places.GUARD_CONFIG))
    end.start("guard", sys.executable, *command)


def told(ends: Sequence[End]) -> str:
    """Return what daemons said, for a test that fails."""
    return "\n".join(
        f"--- {name}\n{log.read_text()[-3000:]}" for end in ends for name, log in end.logs.items()
    )


def until_let_in(end: End, other: End) -> float:
    """Wait until an end lets in the other; return how long that took."""
    began = time.monotonic()
    awaited(f"{end.device.name} lets in {other.device.name}", lambda: end.let_in() == [other.link_address])
    return time.monotonic() - began


def until_shut(end: End) -> float:
    """Wait until an end lets in nobody; return how long that took."""
    began = time.monotonic()
    awaited(f"the port of {end.device.name} is shut", lambda: not end.let_in())
    return time.monotonic() - began
