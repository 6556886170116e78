"""The mobile network as the lab's engine puts it up: files and commands of every node."""

import json
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

from heiiki_lab.mobile import modem_manager, nextepc
from heiiki_lab.mobile.keys import encode_plmn
from heiiki_lab.mobile.nextepc import DiameterPeer, MmeAddresses

SOURCE = "/opt/heiiki/src"
PYTHON_PATH = f"{SOURCE}:/opt/heiiki/site-packages"
USIM_PATH = "/etc/heiiki-sim/usim.json"
MODEM_PATH = "/etc/heiiki-sim/modem.json"
_MMCLI_PATH = "/usr/local/bin/mmcli"
SUBSCRIBERS_PATH = "/etc/heiiki/subscribers.json"
PGW_CONFIG_PATH = "/etc/heiiki/pgw.json"
WWAN_CONFIG_PATH = "/etc/heiiki/wwan.json"

_RESPAWN_PATH = f"{nextepc.FOLDER}/respawn.json"
_ENB_PATH = f"{nextepc.FOLDER}/enb.json"
_DATABASE_PORT = 27017
_DIAMETER_PORT = 3868
_ENB_ID = 1
# What forwards packets comes before all that a returning node starts: else packets queue for seconds on a
# network that was not touched. The MME has time.
_USER_PLANE = -15
_CONTROL_PLANE = 5
# NextEPC polls its sockets and queues every 10 to 50 us: a quarter of a processor each for MME and SGW. With
# timers that may be so late it sleeps, and what arrives wakes it as before.
_POLLING_SLACK_NS = 100_000_000
# The MME refuses a new Diameter connection while it holds a dead one open; a second try succeeds.
_DIAMETER_SECONDS = 5.0

# A lost MME or eNB is seen within some seconds: heartbeat each second, three lost.
_SCTP = {
    "net.sctp.hb_interval": "1000",
    "net.sctp.rto_initial": "500",
    "net.sctp.rto_min": "300",
    "net.sctp.rto_max": "1000",
    "net.sctp.association_max_retrans": "3",
    "net.sctp.path_max_retrans": "2",
    "net.sctp.max_init_retransmits": "2",
}


@dataclass(frozen=True, slots=True)
class File:
    """A file to be put on a node."""

    content: bytes
    mode: int = 0o644


@dataclass(frozen=True, slots=True)
class Port:
    """An interface of a node."""

    node: str
    interface: str


@dataclass(frozen=True, slots=True)
class End(Port):
    """One end of a link: node, interface and address, all made by the lab."""

    address: IPv4Address


@dataclass(frozen=True, slots=True)
class Link:
    """The link of one reference point."""

    a: End
    b: End

    def end(self, node: str) -> End:
        """The end at `node`; KeyError when it does not end there."""
        for end in (self.a, self.b):
            if end.node == node:
                return end
        raise KeyError(node)

    def peer(self, node: str) -> End:
        """The end opposite `node`; KeyError when the link does not end there."""
        return self.b if self.end(node) is self.a else self.a


@dataclass(frozen=True, slots=True)
class Radio:
    """The link that stands in for the air between the eNB and one UE.

    Attributes:
        modem: a modem is kept attached there; False for a node from which attaches are only tried.
        mtu: largest IP packet of the UE, octets; a real network says it at the attach (TS 24.008 10.5.6.3).
    """

    enb: Port
    ue: Port
    modem: bool
    mtu: int


@dataclass(frozen=True, slots=True)
class MobileCore:
    """One EPC with one eNB.

    Attributes:
        mcc: mobile country code, three digits.
        mnc: mobile network code, two or three digits.
        tac: tracking area code.
        sgw_address: the SGW's own address, for S11, S5 and S1-U; set on its loopback interface here.
    """

    mcc: str
    mnc: str
    tac: int
    hss: str
    mme: str
    sgw: str
    pgw: str
    enb: str
    s6a: Link
    s11: Link
    s5: Link
    s1_mme: Link
    s1_u: Link
    sgw_address: IPv4Address
    radios: tuple[Radio, ...]

    @property
    def plmn(self) -> str:
        """The PLMN identity's three octets (TS 24.008 10.5.1.3), in hexadecimal."""
        return encode_plmn(self.mcc, self.mnc).hex()


def start_order(core: MobileCore) -> list[str]:
    """Return the nodes in the order in which to start them; any order works, this one is the fastest."""
    modems = [radio.ue.node for radio in core.radios if radio.modem]
    return [core.sgw, core.hss, core.mme, core.enb, *modems]


def environment() -> dict[str, str]:
    """Return the environment that `commands` need; they carry it themselves."""
    return {"PYTHONPATH": PYTHON_PATH, "PYTHONUNBUFFERED": "1"}


def _python(*arguments: str) -> list[str]:
    return ["env", *(f"{name}={value}" for name, value in environment().items()), "python3", *arguments]


def _module(name: str, *arguments: str) -> list[str]:
    return _python("-m", f"heiiki_lab.mobile.{name}", *arguments)


def commands(core: MobileCore) -> dict[str, list[list[str]]]:
    """Return what to spawn on each node, detached: at lab up, and again after the node was killed or off.

    Files first (`files`); what roles write may come later. Spawning twice changes nothing on the core's
    nodes.
    """
    respawn = _module("respawn", _RESPAWN_PATH)
    nodes: dict[str, list[list[str]]] = {node: [respawn] for node in (core.sgw, core.hss, core.mme, core.enb)}
    for radio in core.radios:
        if radio.modem:
            nodes[radio.ue.node] = [["nice", "-n", str(_USER_PLANE), *_module("ue", MODEM_PATH)]]
    return nodes


def attempt(usim_path: str, apn: str) -> list[str]:
    """Return the argv of one attach from a node without a modem; it prints one JSON line (see `trial_ue`)."""
    return _module("trial_ue", MODEM_PATH, "--usim", usim_path, "--apn", apn)


def forge(source: IPv4Address, destination: IPv4Address, count: int) -> list[str]:
    """Return the argv that sends `count` user packets on the radio of a node that is not attached."""
    return _module("trial_ue", MODEM_PATH, "--forge", str(source), str(destination), str(count))


def usim(imsi: str, k: bytes, opc: bytes) -> File:
    """Return the SIM card to be put at `USIM_PATH` of a gateway."""
    return File(json.dumps({"imsi": imsi, "k": k.hex(), "opc": opc.hex()}).encode("ascii"), 0o600)


# --- files
# -------------------------------------------------------------------------------------------------------


def files(core: MobileCore) -> dict[str, dict[str, File]]:
    """Return the files of every node by path; no secret is among them."""
    nodes = {
        core.hss: _hss_files(core),
        core.mme: _mme_files(core),
        core.sgw: _sgw_files(core),
        core.pgw: _pgw_files(),
        core.enb: _enb_files(core),
    }
    for radio in core.radios:
        nodes[radio.ue.node] = {MODEM_PATH: _modem(core, radio)}
        if radio.modem:
            nodes[radio.ue.node][_MMCLI_PATH] = File(modem_manager.PROGRAM.encode("ascii"), 0o755)
    return nodes


def _json(data: dict[str, Any]) -> File:
    return File(json.dumps(data, indent=1).encode("ascii") + b"\n")


def _daemon(name: str, argv: list[str], **rest: object) -> dict[str, object]:
    return {"name": name, "argv": argv, "log": f"{nextepc.LOG_FOLDER}/{name}.out", **rest}


def _nextepc_daemon(daemon: str, ready: str, **rest: object) -> dict[str, object]:
    log = nextepc.log_path(daemon)
    return _daemon(daemon, nextepc.command(daemon), ready=ready, ready_log=log, **rest)


def _diameter_peers(core: MobileCore) -> tuple[DiameterPeer, DiameterPeer]:
    hss, mme = core.s6a.end(core.hss), core.s6a.end(core.mme)
    return DiameterPeer("hss", hss.address), DiameterPeer("mme", mme.address)


def _hss_files(core: MobileCore) -> dict[str, File]:
    hss, mme = _diameter_peers(core)
    database = _module("subscriber_db", SUBSCRIBERS_PATH, "/var/lib/heiiki/subscriber-sqn.json")
    respawn = {
        "daemons": [
            _daemon("subscriber-db", database),
            _nextepc_daemon(
                nextepc.HSS, "CONNECTED TO", wait_for=_DATABASE_PORT, ready_within=_DIAMETER_SECONDS
            ),
        ],
        "timer_slack_ns": _POLLING_SLACK_NS,
        "follow": [nextepc.HSS],
        "follow_port": _DIAMETER_PORT,
    }
    uri = f"mongodb://127.0.0.1:{_DATABASE_PORT}/nextepc"
    return {
        nextepc.config_path(nextepc.HSS): File(nextepc.hss_config(hss, mme, uri)),
        _RESPAWN_PATH: _json(respawn),
    }


def _mme_files(core: MobileCore) -> dict[str, File]:
    hss, mme = _diameter_peers(core)
    addresses = MmeAddresses(
        s1ap=core.s1_mme.end(core.mme).address,
        s11=core.s11.end(core.mme).address,
        sgw=core.sgw_address,
        pgw=core.s5.end(core.pgw).address,
    )
    config = nextepc.mme_config(mme, hss, addresses, (core.mcc, core.mnc), core.tac)
    respawn = {
        "daemons": [_nextepc_daemon(nextepc.MME, "CONNECTED TO")],
        "routes": [_route_to_sgw(core, core.s11)],
        "sysctls": _SCTP,
        "nice": _CONTROL_PLANE,
        "timer_slack_ns": _POLLING_SLACK_NS,
        "announce": [str(core.s6a.end(core.hss).address)],
        "follow": [nextepc.MME],
    }
    return {nextepc.config_path(nextepc.MME): File(config), _RESPAWN_PATH: _json(respawn)}


def _sgw_files(core: MobileCore) -> dict[str, File]:
    respawn = {
        "daemons": [_nextepc_daemon(nextepc.SGW, "gtp_server()")],
        "addresses": [f"{core.sgw_address}/32"],
        "routes": [_route_from_sgw(core, link) for link in (core.s11, core.s5, core.s1_u)],
        "nice": _USER_PLANE,
        "timer_slack_ns": _POLLING_SLACK_NS,
        "announce": [str(core.s11.end(core.mme).address)],
    }
    return {
        nextepc.config_path(nextepc.SGW): File(nextepc.sgw_config(core.sgw_address)),
        _RESPAWN_PATH: _json(respawn),
    }


def _pgw_files() -> dict[str, File]:
    """The unit alone: role `apn_gateway` provisions what the gateway reads, and starts it."""
    return {"/etc/systemd/system/heiiki-pgw.service": File(pgw_unit().encode("ascii"))}


def pgw_unit() -> str:
    """Return the gateway's unit, held to what the product's own units are held to."""
    # Here: nodes import this package too, and have no templates.
    from heiiki.render.templates import render  # noqa: PLC0415

    return f"""[Unit]
Description=Packet gateway of the APN (TS 29.274)
After=heiiki-links.service
StartLimitIntervalSec=0

[Service]
Type=simple
# What it forwards must not wait behind what else the host does.
Nice=-10
Environment=PYTHONPATH={PYTHON_PATH}
ExecStart=/usr/bin/python3 -m heiiki_lab.mobile.pgw {PGW_CONFIG_PATH}
# It sees by itself that its file has changed. A signal could meet it before it is ready for one, and end it.
ExecReload=/bin/true
Restart=always
RestartSec=1
{render("linux/bounds.j2")}\
# GTP, the kernel's tunnels and its filter; its sessions and its report.
CapabilityBoundingSet=CAP_NET_ADMIN
RestrictAddressFamilies=AF_INET AF_NETLINK
RuntimeDirectory=heiiki
RuntimeDirectoryPreserve=yes
StateDirectory=heiiki

[Install]
WantedBy=multi-user.target
"""


def _enb_files(core: MobileCore) -> dict[str, File]:
    respawn = {
        "daemons": [_daemon("enb", _module("enb", _ENB_PATH))],
        "routes": [_route_to_sgw(core, core.s1_u)],
        "sysctls": _SCTP,
        "nice": _USER_PLANE,
    }
    config = {
        "plmn": core.plmn,
        "tac": core.tac,
        "enb_id": _ENB_ID,
        "name": core.enb,
        "s1_mme": str(core.s1_mme.end(core.enb).address),
        "mme": str(core.s1_mme.end(core.mme).address),
        "s1_u": str(core.s1_u.end(core.enb).address),
        "sgw": str(core.sgw_address),
        "radios": [radio.enb.interface for radio in core.radios],
    }
    return {_ENB_PATH: _json(config), _RESPAWN_PATH: _json(respawn)}


def _route_to_sgw(core: MobileCore, link: Link) -> str:
    return f"{core.sgw_address}/32 via {link.end(core.sgw).address}"


def _route_from_sgw(core: MobileCore, link: Link) -> str:
    # NextEPC sends requests from a socket bound to no address: the route must say which one is the SGW's.
    own, peer = link.end(core.sgw), link.peer(core.sgw)
    return f"{peer.address}/32 dev {own.interface} src {core.sgw_address}"


def _modem(core: MobileCore, radio: Radio) -> File:
    return _json({"interface": radio.ue.interface, "plmn": core.plmn, "mtu": radio.mtu})
