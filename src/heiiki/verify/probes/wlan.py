"""Probe: be a station on a wireless LAN, or an access point, that must be refused; the serving ones go on.

``join`` tries to get in by more stations on the device's own radio, each with another certificate. They run
with what the serving station says that it runs with, and are answered for the guard by the guard's own rule.
``pose`` is one or more access points of the same name on the gateway's radio, each with another certificate.
``plug`` tries to get in by a wire, by more link addresses on the device's own port.
"""

import os
import re
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from heiiki_agent.dot1x import places as dot1x_places
from heiiki_agent.dot1x import supplicant
from heiiki_agent.errors import AgentError
from heiiki_agent.pki.x509 import Certificate
from heiiki_agent.wlan import guard, places, station
from heiiki_agent.wlan.control import Control

_ATTEMPT_S = 30.0
"""Longer than all of them together take on a busy processor."""
_START_S = 15.0
_GRACE_S, _LOOK_S = 0.5, 0.1
_OPEN_S, _SHUT_S, _ECHO_S = 5.0, 1.0, 0.25
_IPV4, _ICMP, _FRAME = 0x0800, 34, 2048
_OWN = places.CREDENTIALS
_PEER = re.compile(r"CTRL-EVENT-EAP-PEER-CERT depth=0 .*\bcert=([0-9a-f]+)")
_REQUEST = re.compile(r"CTRL-REQ-EXT_CERT_CHECK-(\d+):")
_IN = "CTRL-EVENT-CONNECTED"
_OUT = ("CTRL-EVENT-EAP-FAILURE", "CTRL-EVENT-ASSOC-REJECT", "CTRL-EVENT-DISCONNECTED")
_REFUSAL = "certificate chain failure"
_TELLING = re.compile(r"alert|CERT-ERROR|PROPOSED-METHOD|EAP-SUCCESS|EAP-FAILURE|REJECT|not found")


def main(parameters: dict[str, Any]) -> dict[str, Any]:
    """Do what ``do`` says: ``join``, ``pose``, or ``end`` of the latter; on a wire ``plug``."""
    done = {"join": _joined, "pose": _posed, "end": _told_to_end, "plug": _plugged}
    return done[parameters["do"]](parameters)


# --- the station


def _joined(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return what came of each of ``attempts``, all made at once: whether it got in, and what was said."""
    own, attempts = parameters["interface"], parameters["attempts"]
    with station.connected(own) as daemon:
        running = dict(station.running(daemon))
    settings = guard.Settings(own, parameters["access_point"])
    with ThreadPoolExecutor(len(attempts)) as pool:
        came = list(pool.map(lambda one: _came_of(one, running, settings), attempts))
    return {"attempts": {one["name"]: result for one, result in zip(attempts, came, strict=True)}}


def _came_of(attempt: dict[str, Any], running: dict[str, str], settings: guard.Settings) -> dict[str, Any]:
    interface = attempt["interface"]
    with ExitStack() as stack:
        stack.enter_context(_second(settings.interface, interface, "managed", attempt["address"]))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/run")))
        certificate, key = _credentials(stack, attempt)
        network = _network(attempt, running, f"/proc/self/fd/{certificate}", f"/proc/self/fd/{key}")
        (folder / "conf").write_text(_configuration(folder, network), encoding="utf-8")
        argv = ["/usr/sbin/wpa_supplicant", "-D", "nl80211", "-i", interface, "-c", str(folder / "conf")]
        stack.enter_context(_running(argv, folder / "log", (certificate, key)))
        with _reached(folder / "control" / interface) as daemon:
            daemon.ordered("ATTACH")
            inside, refused = _attended(daemon, settings)
        time.sleep(_GRACE_S)
        said = (folder / "log").read_text(encoding="utf-8", errors="replace").splitlines()
    return {"in": inside, "refused": refused, "said": [line for line in said if _TELLING.search(line)]}


def _configuration(folder: Path, network: dict[str, str]) -> str:
    lines = [f"    {key}={value}" for key, value in network.items()]
    head = [f"ctrl_interface={folder}/control", "ap_scan=1", "fast_reauth=0", "okc=0", "p2p_disabled=1"]
    return "\n".join([*head, "network={", *lines, "}", ""])


def _network(attempt: dict[str, Any], running: dict[str, str], certificate: str, key: str) -> dict[str, str]:
    """What the serving station runs with, but for the credentials and the access point."""
    quoted = ("ssid", "identity", "domain_match", "phase1", "ca_cert")
    found = {name: f'"{value}"' if name in quoted else value for name, value in running.items()}
    found = {name: value for name, value in found.items() if value not in {"FAIL", '"FAIL"', "", '""'}}
    found |= {"client_cert": f'"{certificate}"', "private_key": f'"{key}"'}
    if "bssid" in attempt:
        found["bssid"] = attempt["bssid"]
    found["scan_freq"] = found["freq_list"] = str(attempt["frequency"])
    if attempt.get("password"):
        found |= {"eap": "PEAP", "password": '"password"', "phase1": '""', "phase2": '"auth=MSCHAPV2"'}
        for name in ("client_cert", "private_key", "phase1"):
            del found[name]
    return found


def _attended(daemon: Control, settings: guard.Settings) -> tuple[bool, str]:
    """Return whether the station got in, and why the guard would not have it, if so."""
    until, shown, refused = time.monotonic() + _ATTEMPT_S, None, ""
    while (left := until - time.monotonic()) > 0:
        event = daemon.event(left) or ""
        if match := _PEER.match(event):
            shown = Certificate.read_der(bytes.fromhex(match[1]))
        elif match := _REQUEST.match(event):
            refused = guard.objection(settings, shown) if shown else "it showed no certificate"
            daemon.ordered(f"CTRL-RSP-EXT_CERT_CHECK-{match[1]}:{'bad' if refused else 'good'}")
        elif event.startswith(_IN):
            return True, refused
        elif event.startswith(_OUT):
            return False, refused
    return False, refused


# --- the supplicant on a wire


def _plugged(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return of each of ``attempts``, made at once, whether it got in, what was said, and if IP passed."""
    own, attempts = parameters["interface"], parameters["attempts"]
    with station.connected(own, dot1x_places.SUPPLICANT) as daemon:
        running = dict(station.running(daemon, supplicant.SETTINGS))
    settings = guard.Settings(own, parameters["authenticator"])
    with ThreadPoolExecutor(len(attempts)) as pool:
        came = list(pool.map(lambda one: _came_by_wire(one, running, settings, parameters["echo"]), attempts))
    return {"attempts": {one["name"]: result for one, result in zip(attempts, came, strict=True)}}


def _came_by_wire(
    attempt: dict[str, Any], running: dict[str, str], settings: guard.Settings, echo: dict[str, str]
) -> dict[str, Any]:
    interface = attempt["interface"]
    with ExitStack() as stack:
        stack.enter_context(_beside(settings.interface, interface, attempt["address"]))
        if attempt.get("silent"):
            answered = _answered(settings.interface, attempt["address"], echo, _SHUT_S)
            return {"in": False, "refused": "", "said": [], "answered": answered}
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/run")))
        certificate, key = _credentials(stack, attempt)
        network = _on_wire(attempt, running, f"/proc/self/fd/{certificate}", f"/proc/self/fd/{key}")
        lines = [f"    {key}={value}" for key, value in network.items()]
        head = [f"ctrl_interface={folder}/control", "eapol_version=2", "ap_scan=0", "fast_reauth=0"]
        text = "\n".join([*head, "network={", *lines, "}", ""])
        (folder / "conf").write_text(text, encoding="utf-8")
        argv = ["/usr/sbin/wpa_supplicant", "-D", "wired", "-i", interface, "-c", str(folder / "conf")]
        stack.enter_context(_running(argv, folder / "log", (certificate, key)))
        with _reached(folder / "control" / interface) as daemon:
            daemon.ordered("ATTACH")
            inside, refused = _attended(daemon, settings)
            within = _OPEN_S if inside else _SHUT_S
            answered = _answered(settings.interface, attempt["address"], echo, within)
            daemon.ask("LOGOFF")  # so that the authenticator does not count on it for an hour
            time.sleep(_GRACE_S)
        said = (folder / "log").read_text(encoding="utf-8", errors="replace").splitlines()
    telling = [line for line in said if _TELLING.search(line)]
    return {"in": inside, "refused": refused, "said": telling, "answered": answered}


def _on_wire(attempt: dict[str, Any], running: dict[str, str], certificate: str, key: str) -> dict[str, str]:
    """What the serving supplicant runs with, but for the credentials."""
    quoted = ("identity", "domain_match", "phase1", "ca_cert")
    found = {name: f'"{value}"' if name in quoted else value for name, value in running.items()}
    if attempt.get("password"):
        return found | {"eap": "PEAP", "password": '"password"', "phase1": '""', "phase2": '"auth=MSCHAPV2"'}
    return found | {"client_cert": f'"{certificate}"', "private_key": f'"{key}"'}


@contextmanager
def _beside(interface: str, name: str, address: str) -> Iterator[None]:
    """Make a second link address on the port of `interface`."""
    subprocess.run(["ip", "link", "del", name], capture_output=True, check=False)  # of a run that was killed
    make = ["ip", "link", "add", "link", interface, "name", name, "address", address]
    subprocess.run([*make, "type", "macvlan", "mode", "private"], check=True)
    try:
        subprocess.run(["ip", "link", "set", name, "up"], check=True)
        yield
    finally:
        subprocess.run(["ip", "link", "del", name], check=False)


def _answered(interface: str, own: str, echo: dict[str, str], within: float) -> bool:
    """Tell whether the gateway answers echo requests in frames that have the link address `own`.

    It answers to the device's own link address, which it knows beforehand, and there the answer is heard.
    """
    mark = os.urandom(8)
    frame = _request(own, echo, mark)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_IPV4)) as wire:
        wire.bind((interface, _IPV4))
        until = time.monotonic() + within
        while (left := until - time.monotonic()) > 0:
            wire.send(frame)
            again = time.monotonic() + min(left, _ECHO_S)
            while (left := again - time.monotonic()) > 0:
                wire.settimeout(left)
                with suppress(TimeoutError):
                    seen = wire.recv(_FRAME)
                    if seen[_ICMP : _ICMP + 1] == b"\0" and mark in seen:
                        return True
    return False


def _request(own: str, echo: dict[str, str], mark: bytes) -> bytes:
    """Return an echo request (RFC 792) in a frame of Ethernet."""
    ends = socket.inet_aton(echo["source"]) + socket.inet_aton(echo["target"])
    icmp = b"\x08\0" + _checksum(b"\x08\0\0\0" + mark) + mark
    head = struct.pack("!BBHHHBB", 0x45, 0, 20 + len(icmp), 0, 0, 64, 1)
    ip = head + _checksum(head + b"\0\0" + ends) + ends
    return bytes.fromhex((echo["link_address"] + own).replace(":", "")) + struct.pack("!H", _IPV4) + ip + icmp


def _checksum(data: bytes) -> bytes:
    """Return the checksum of RFC 1071."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", ~total & 0xFFFF)


# --- the access point


def _posed(parameters: dict[str, Any]) -> dict[str, Any]:
    """Be the access points until told to end, for ``seconds`` at most; return what each said of refusals."""
    with ExitStack() as stack:
        logs = {}
        for one in parameters["poses"]:
            stack.enter_context(_second(parameters["interface"], one["interface"], "__ap", one["bssid"]))
            logs[one["name"]] = stack.enter_context(_access_point(one))
        end, until = _end(parameters), time.monotonic() + parameters["seconds"]
        while not end.exists() and time.monotonic() < until:
            time.sleep(_LOOK_S)
        end.unlink(missing_ok=True)
        time.sleep(_GRACE_S)
        said = {name: log.read_text(encoding="utf-8", errors="replace") for name, log in logs.items()}
    return {
        "poses": {name: [one for one in text.splitlines() if _REFUSAL in one] for name, text in said.items()}
    }


def _told_to_end(parameters: dict[str, Any]) -> dict[str, Any]:
    """Have the access points of that name end."""
    _end(parameters).touch()
    return {}


def _end(parameters: dict[str, Any]) -> Path:
    return Path("/run") / f"heiiki-trial-{parameters['name']}"


@contextmanager
def _access_point(one: dict[str, Any]) -> Iterator[Path]:
    """Run the gateway's own configuration: as it is, or with other credentials, which lets in everybody."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/run")))
        certificate, key = _credentials(stack, one)
        changed = {
            "interface": one["interface"],
            "ctrl_interface": f"{folder}/control",
            "server_cert": f"/proc/self/fd/{certificate}",
            "private_key": f"/proc/self/fd/{key}",
        }
        left_out = ("check_cert_subject",) if "key" in one else ()
        text = places.ACCESS_POINT_CONFIG.read_text(encoding="utf-8")
        lines = [line for line in text.splitlines() if line.partition("=")[0] not in {*changed, *left_out}]
        lines += [f"{name}={value}" for name, value in changed.items()]
        (folder / "conf").write_text("\n".join(sorted(lines, key=_interface_first)) + "\n", encoding="utf-8")
        argv = ["/usr/sbin/hostapd", str(folder / "conf")]
        stack.enter_context(_running(argv, folder / "log", (certificate, key)))
        daemon = stack.enter_context(_reached(folder / "control" / one["interface"]))
        until = time.monotonic() + _START_S
        while daemon.facts("STATUS").get("state") != "ENABLED":
            if time.monotonic() > until:
                said = (folder / "log").read_text(encoding="utf-8", errors="replace")
                raise AgentError(f"{one['name']}: no access point: {said[-300:]}")
            time.sleep(_LOOK_S)
        yield folder / "log"


def _interface_first(line: str) -> bool:
    return not line.startswith("interface=")


# --- both


@contextmanager
def _second(interface: str, name: str, kind: str, address: str) -> Iterator[None]:
    """Make a second interface on the radio of `interface`."""
    subprocess.run(["iw", "dev", name, "del"], capture_output=True, check=False)  # of a run that was killed
    make = ["iw", "dev", interface, "interface", "add", name, "type", kind, "addr", address]
    done = subprocess.run(make, capture_output=True, text=True, check=False)
    if done.returncode:
        raise AgentError(f"the radio of {interface} has no second interface: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["iw", "dev", name, "del"], check=False)


def _credentials(stack: ExitStack, one: dict[str, Any]) -> tuple[int, int]:
    """Return descriptors of certificate and key: what is tried has no business on a disk."""
    if "key" in one:
        return _in_memory(stack, one["certificate"]), _in_memory(stack, one["key"])
    certificate, key = ((_OWN / name).read_text(encoding="ascii") for name in ("certificate.pem", "key.pem"))
    return _in_memory(stack, certificate), _in_memory(stack, key)


def _in_memory(stack: ExitStack, text: str) -> int:
    number = os.memfd_create("probe")
    stack.callback(os.close, number)
    os.write(number, text.encode())
    return number


@contextmanager
def _running(argv: list[str], log: Path, descriptors: tuple[int, ...]) -> Iterator[None]:
    with log.open("wb") as said:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=said, stderr=said, pass_fds=descriptors
        )
    try:
        yield
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_START_S)
        if process.poll() is None:
            process.kill()
            process.wait()


def _connected(path: Path) -> Control | None:
    """Return a connection; a daemon that starts may have no socket yet, or one that it does not read."""
    try:
        return Control(path, "the trial's daemon")
    except AgentError:
        return None


@contextmanager
def _reached(path: Path) -> Iterator[Control]:
    until = time.monotonic() + _START_S
    while (daemon := _connected(path)) is None:
        if time.monotonic() > until:
            raise AgentError(f"{path}: the trial's daemon did not begin")
        time.sleep(0.05)
    with daemon:
        yield daemon
