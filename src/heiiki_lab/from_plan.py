"""A service as a lab: devices become nodes, links cables, the carriers' cores running software.

What roles provision stays unprovisioned here. What carriers run themselves (mobile core, radio, the
test equipment) is set up at once.
"""

import secrets
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

from heiiki.errors import LabError
from heiiki.plan.model import Device, Function, Plan, Role
from heiiki.plan.model import Endpoint as PlannedEnd
from heiiki.plan.model import Link as PlannedLink
from heiiki.render import interfaces_json
from heiiki.state import FileSecrets
from heiiki_lab import mobile, state, wiring
from heiiki_lab.client import NodeClient
from heiiki_lab.spec import Endpoint, LabSpec, LinkSpec, NodeKind, NodeSpec

MOST_SIMS = 40
"""The MME's buffers end at about 50 attached UEs."""

FOREIGN_USIMS = {
    "wrong_key": "/etc/heiiki-sim/wrong-key.json",
    "unknown_imsi": "/etc/heiiki-sim/unknown-imsi.json",
}
"""SIMs that must be refused, on the test UE's node: a good IMSI with another key, an IMSI no HSS knows."""

_WORKERS = 8
_KEY_BYTES = 16
_MODEM_S = 60
_BOOT_S = 120.0
_LINKS = ["env", f"PYTHONPATH={mobile.core.SOURCE}", "python3", "-m", "heiiki_agent", "links"]
_CONFIG = "/etc/heiiki/links.json"

Report = Callable[[str], None]


def spec(plan: Plan) -> LabSpec:
    """Return the lab of `plan`.

    Raises:
        LabError: the service has more SIMs than one mobile core of the lab can attach.
    """
    sims = sum(device.sim is not None for device in plan.devices)
    if sims > MOST_SIMS:
        message = (
            f"{plan.service} has {sims} SIMs; the lab's mobile core attaches {MOST_SIMS}: try a part of it"
        )
        raise LabError(message)
    return LabSpec(
        name=plan.service,
        nodes=tuple(_nodes(plan)),
        links=tuple(links(plan)),
    )


def links(plan: Plan) -> Iterator[LinkSpec]:
    """Yield the cables; the lines of sites are as slow as the carriers' own."""
    for link in plan.links:
        # The hub's lines are paced by nothing: no site, and not all together, fills them.
        rate = link.rate if link.site else None
        yield LinkSpec(
            link.name,
            Endpoint(*_end(link.a)),
            Endpoint(*_end(link.b)),
            mtu=_ethernet_mtu(plan, link),
            rate_a=rate.down if rate else None,
            rate_b=rate.up if rate else None,
            wireless=link.kind == "wlan",
        )


def _ethernet_mtu(plan: Plan, link: PlannedLink) -> int | None:
    """Frames are larger than users' packets inside: of the lab's tunnel for radio, of PPPoE."""
    session = link.b.interface in plan.device(link.b.device).below_sessions
    return None if session or link.kind == "radio" else link.mtu


def _nodes(plan: Plan) -> Iterator[NodeSpec]:
    """Each closed network has processors of its own: what starts again on one delays nothing on the other."""
    processors = count(0, 2), count(1, 2)
    for device in plan.devices:
        kind: NodeKind = "switch" if device.role is Role.LAN_SWITCH else "host"
        yield NodeSpec(device.name, kind, next(processors["b" in device.networks]), kind == "host")


def _end(end: PlannedEnd) -> tuple[str, str]:
    return end.device, end.interface


def bring_up(plan: Plan, keys: FileSecrets, kernel: Path, root: Path, report: Report) -> wiring.Lab:
    """Start the lab of `plan` and everything in it that no role provisions.

    Args:
        plan: the service.
        keys: the service's own secrets; those of SIMs that are not there yet are made.
        kernel: what the guest boots.
        root: its file system.
        report: is told of each step.
    """
    described = spec(plan)
    lab = wiring.up(described, state.lab_dir(), kernel, root, report)
    try:
        report("the carriers' side: addresses, SIM cards, mobile core")
        _make_sims(plan, keys)
        core = mobile_core(plan)
        with ThreadPoolExecutor(_WORKERS) as pool:
            list(pool.map(lambda device: _prepare(lab, plan, device, keys), _hosts(plan)))
            list(pool.map(lambda device: lab.node(device.name).booted(_BOOT_S), _hosts(plan)))
            list(pool.map(lambda node: _put_files(lab, core, node), mobile.files(core)))
            for node in mobile.start_order(core):
                _start_mobile(lab, core, node)
            list(
                pool.map(
                    lambda radio: _await_modem(lab, radio.ue.node), (one for one in core.radios if one.modem)
                )
            )
    except BaseException:
        wiring.down(state.lab_dir(), report)
        raise
    return lab


def restart(plan: Plan, lab: wiring.Lab, node: str) -> None:
    """Boot `node` after a power cut or a kill: systemd starts its enabled services, the lab the carriers'.

    Raises:
        LabError: a service did not start.
    """
    with lab.node(node) as client:
        _addresses(client, plan.device(node))
        client.boot()
        _start_mobile(lab, mobile_core(plan), node)
        _start_resource(client, plan.device(node))
        client.booted(_BOOT_S)


def mobile_core(plan: Plan) -> mobile.MobileCore:
    """Return closed network B's mobile core as the lab runs it."""
    names, points = (
        plan.mobile,
        {
            str(link.kind): _mobile_link(plan, link)
            for link in plan.links
            if link.network == "b" and link.kind != "radio"
        },
    )
    radios = (link for link in plan.links if link.kind == "radio")
    return mobile.MobileCore(
        mcc=names.plmn[:3],
        mnc=names.plmn[3:],
        tac=names.tac,
        hss=names.hss,
        mme=names.mme,
        sgw=names.sgw,
        pgw=names.pgw,
        enb=names.enb,
        s6a=points["S6a"],
        s11=points["S11"],
        s5=points["S5"],
        s1_mme=points["S1-MME"],
        s1_u=points["S1-U"],
        sgw_address=names.sgw_address,
        radios=tuple(_radio(plan, link) for link in radios),
    )


def _mobile_link(plan: Plan, link: PlannedLink) -> mobile.Link:
    return mobile.Link(*(_mobile_end(plan, *_end(end)) for end in link.ends))


def _mobile_end(plan: Plan, device: str, interface: str) -> mobile.End:
    return mobile.End(device, interface, plan.device(device).interface(interface).addresses[0].ip)


def _radio(plan: Plan, link: PlannedLink) -> mobile.Radio:
    enb, ue = (mobile.Port(*_end(end)) for end in link.ends)
    return mobile.Radio(enb, ue, plan.device(ue.node).function is not Function.TEST_UE, link.mtu)


def _hosts(plan: Plan) -> Iterable[Device]:
    return (device for device in plan.devices if device.role is not Role.LAN_SWITCH)


def _prepare(lab: wiring.Lab, plan: Plan, device: Device, keys: FileSecrets) -> None:
    with lab.node(device.name) as client:
        _addresses(client, device)
        if device.sim is not None:
            _put_sim_cards(client, plan, device, keys)
        _start_resource(client, device)


def _is_the_carriers(device: Device) -> bool:
    """No role sets the addresses of this device; of the HSS, a role provisions the subscribers only."""
    return not device.managed or device.function is Function.HSS


def _addresses(client: NodeClient, device: Device) -> None:
    if _is_the_carriers(device):
        client.put(_CONFIG, interfaces_json(device).encode(), parents=True)
        client.run([*_LINKS, "apply", _CONFIG])


def _start_resource(client: NodeClient, device: Device) -> None:
    """What a controller controls is the customer's; here it is simulated."""
    if device.ven is not None:
        variables = [f"{name}={value}" for name, value in mobile.environment().items()]
        argv = ["env", *variables, "python3", "-m", "heiiki_lab.resource"]
        client.spawn(argv, log="/var/log/resource.log")


def _await_modem(lab: wiring.Lab, node: str) -> None:
    """Wait for the modem's interface: before it exists, a role could set no route on it."""
    script = (
        f"for i in $(seq {_MODEM_S * 5}); do test -e /sys/class/net/wwan0 && exit 0; sleep 0.2; done; exit 1"
    )
    with lab.node(node) as client:
        if client.exec(["sh", "-c", script], timeout=_MODEM_S * 2.0).rc != 0:
            raise LabError(
                f"{node}: the modem made no wwan0 within {_MODEM_S} s; see /var/log/mobile.log there"
            )


def _make_sims(plan: Plan, source: FileSecrets) -> None:
    for device in plan.devices:
        if device.sim is not None:
            ensure_sim(source, device.sim.keys)


def ensure_sim(source: FileSecrets, path: str) -> None:
    """Make the keys K and OPc (TS 35.206) of a SIM at random where there are none yet."""
    if not source.has(path):
        source.create(path, {name: secrets.token_hex(_KEY_BYTES) for name in ("k", "opc")})


def _put_sim_cards(client: NodeClient, plan: Plan, device: Device, source: FileSecrets) -> None:
    sim = device.sim
    if sim is None:
        return
    keys = [bytes.fromhex(source.read(sim.keys, field)) for field in ("k", "opc")]
    cards = {mobile.USIM_PATH: mobile.usim(sim.imsi, *keys)}
    if device.function is Function.TEST_UE:
        other = [bytes(byte ^ 0xFF for byte in key) for key in keys]
        unknown = plan.mobile.plmn + "8" * (len(sim.imsi) - len(plan.mobile.plmn))
        cards[FOREIGN_USIMS["wrong_key"]] = mobile.usim(sim.imsi, *other)
        cards[FOREIGN_USIMS["unknown_imsi"]] = mobile.usim(unknown, *keys)
    for path, card in cards.items():
        client.put(path, card.content, mode=card.mode, parents=True)


def _put_files(lab: wiring.Lab, core: mobile.MobileCore, node: str) -> None:
    with lab.node(node) as client:
        for path, file in mobile.files(core)[node].items():
            client.put(path, file.content, mode=file.mode, parents=True)


def _start_mobile(lab: wiring.Lab, core: mobile.MobileCore, node: str) -> None:
    """Spawn what the mobile network runs on `node`; the PGW is a service that its role starts."""
    with lab.node(node) as client:
        for argv in mobile.commands(core).get(node, ()):
            client.spawn(argv, log="/var/log/mobile.log")
