"""The checks of a verification, and what each part of one does to the network and to the others."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from random import Random, SystemRandom

from heiiki.requirements import Verdict
from heiiki.verify import absent, access, cluster, load, paths, sizes, time, traffic, vault, volume
from heiiki.verify.config import running as configuration
from heiiki.verify.config import server
from heiiki.verify.dot1x import authentication
from heiiki.verify.dot1x import trials as port_trials
from heiiki.verify.equipment import TestEquipment
from heiiki.verify.est import access as est_access
from heiiki.verify.est import served as est_served
from heiiki.verify.events import served
from heiiki.verify.host import state
from heiiki.verify.ipsec import (
    anchors,
    associations,
    certificates,
    cleartext,
    mirrors,
    refusals,
    space,
    supervision,
    wire,
)
from heiiki.verify.isolation import carrier, control, group, lan, sample, sites, spoofing
from heiiki.verify.isolation.packets import ProbeRun, send_probes
from heiiki.verify.mms import access as mms_access
from heiiki.verify.mms import delays
from heiiki.verify.named import REFUSALS, TRUST
from heiiki.verify.overlap import ALL, Effect, Needs
from heiiki.verify.part import Examine, Part, Scene
from heiiki.verify.pppoe import session as pppoe_session
from heiiki.verify.pppoe import trials as pppoe_trials
from heiiki.verify.rest import access as rest_access
from heiiki.verify.routing import sessions
from heiiki.verify.scan import course as port_scan
from heiiki.verify.wired import data
from heiiki.verify.wlan import association
from heiiki.verify.wlan import trials as wlan_trials
from heiiki.verify.xmpp import access as xmpp_access
from heiiki.verify.xmpp import exchange


def parts(
    equipment: TestEquipment, *, may_break: bool, fill: load.Fill, may_order: bool, every_port: bool
) -> tuple[Part, ...]:
    """Return every part but the faults, in the order in which those begin that may.

    Args:
        equipment: what may be done to the network.
        may_break: a tunnel may be taken away.
        fill: which lines may be filled.
        may_order: resources may be ordered to go on as they are.
        every_port: a port scan leaves none out.
    """
    trials = _trials(tried=equipment.refused_certificates)
    return (
        *_PARTS,
        Part("scan", partial(_scan, every=every_port), _SCAN, repeated=not every_port),
        *trials,
        _cleartext(may_break=may_break),
        _load(fill),
        _control(may_order=may_order),
    )


def _config(scene: Scene) -> Iterator[Verdict]:
    yield from configuration.verdicts(scene.plan, scene.builds, scene.fleet, scene.keep, scene.adds)
    yield from absent.verdicts(scene.plan)


def _vault(scene: Scene) -> Iterator[Verdict]:
    yield from server.verdicts(scene.keep, scene.queries.problems)
    yield from vault.verdicts(scene.keep, scene.queries.log_ins)
    yield from cluster.verdicts(scene.plan, scene.keep, scene.queries.cluster)


def _host(scene: Scene) -> Iterator[Verdict]:
    return state.verdicts(scene.plan, scene.builds, scene.fleet, scene.keep, scene.adds)


def _time(scene: Scene) -> Iterator[Verdict]:
    return time.verdicts(scene.plan, scene.fleet, scene.keep)


def _event(scene: Scene) -> Iterator[Verdict]:
    yield from served.verdicts(scene.plan, scene.fleet, scene.keep)
    yield from est_served.verdicts(scene.plan, scene.fleet, scene.keep)


def _messages(scene: Scene) -> Iterator[Verdict]:
    return traffic.verdicts(scene.plan, scene.fleet, scene.transport, scene.keep, SystemRandom())


def _volume(scene: Scene) -> Iterator[Verdict]:
    return volume.verdicts(scene.plan, scene.fleet, scene.keep)


def _sessions(scene: Scene) -> Iterator[Verdict]:
    return sessions.verdicts(scene.plan, scene.builds, scene.fleet, scene.keep)


def _paths(scene: Scene) -> Iterator[Verdict]:
    since, legs, large = datetime.now(UTC), tuple(paths.legs(scene.plan)), sizes.packets(scene.plan)
    probe_run = paths.measure(scene.fleet, legs, scene.patience, large)
    yield from paths.verdicts(scene.plan, probe_run, scene.keep)
    yield from sizes.verdicts(scene.plan, probe_run, scene.keep)
    yield from paths.in_service(scene.plan, scene.fleet, scene.keep)
    yield from delays.reported(scene.plan, scene.transport, scene.keep, since, SystemRandom())


def _isolation(scene: Scene) -> Iterator[Verdict]:
    """One probe run answers four questions, so every negative has a positive of the same seconds (D20).

    Frames that are forged on a LAN go beside it, for neither run hears or counts what the other sends. What
    control planes are sent goes after both, when all that filters drop is of it.
    """
    plan, devices, random = scene.plan, scene.fleet, SystemRandom()
    tried = tuple(control.trials(plan, random))
    speakers = tuple(dict.fromkeys(one.guard for one in tried))
    routers = spoofing.guards(plan)
    before = spoofing.read_counters(devices, routers)
    with ThreadPoolExecutor(1) as side:
        beside = side.submit(_forged_on_lans, scene, random)
        probe_run = _of_sites(scene, random)
        wait([beside])
    between = spoofing.read_counters(devices, {*routers, *speakers})
    controlled = send_probes(devices, (one.packet for one in tried), speakers, patience=scene.patience)
    after = spoofing.read_counters(devices, speakers)
    yield from sites.verdicts(plan, probe_run, scene.keep, devices)
    yield from group.verdicts(plan, probe_run, scene.keep)
    yield from carrier.verdicts(plan, probe_run, scene.keep)
    yield from spoofing.verdicts(plan, probe_run, scene.keep, spoofing.Readings.of(before, between))
    yield from control.verdicts(plan, tried, controlled, scene.keep, spoofing.Readings.of(between, after))
    yield from beside.result()


def _forged_on_lans(scene: Scene, random: Random) -> tuple[Verdict, ...]:
    return tuple(lan.verdicts(scene.plan, scene.fleet, scene.keep, random, scene.patience))


def _of_sites(scene: Scene, random: Random) -> ProbeRun:
    plan = scene.plan
    everything = (
        *sites.packets(plan, sample.Population(plan).draw(random)),
        *group.packets(plan, random),
        *carrier.packets(plan, random),
        *spoofing.packets(plan),
    )
    listeners = (*spoofing.listeners(plan), *(one.name for one in carrier.second_customers(plan)))
    return send_probes(scene.fleet, everything, listeners, patience=scene.patience)


def _xmpp(scene: Scene) -> Iterator[Verdict]:
    return exchange.verdicts(scene.plan, scene.fleet, scene.keep, SystemRandom(), scene.patience)


def _wlan(scene: Scene) -> Iterator[Verdict]:
    return association.verdicts(scene.plan, scene.fleet, scene.keep)


def _dot1x(scene: Scene) -> Iterator[Verdict]:
    return authentication.verdicts(scene.plan, scene.fleet, scene.keep)


def _lan(scene: Scene) -> Iterator[Verdict]:
    return data.verdicts(scene.plan, scene.fleet, scene.keep)


def _pppoe(scene: Scene) -> Iterator[Verdict]:
    yield from pppoe_session.verdicts(scene.plan, scene.fleet, scene.keep)
    yield from pppoe_trials.verdicts(scene.plan, scene.fleet, scene.keep)


def _access(scene: Scene) -> Iterator[Verdict]:
    return access.verdicts(scene.plan, scene.transport, scene.fleet, scene.keep, scene.equipment.sim_trials)


def _associations(scene: Scene) -> Iterator[Verdict]:
    """What IKE daemons, and those who watch over them, say of themselves."""
    yield from associations.verdicts(scene.plan, scene.fleet, scene.keep)
    yield from anchors.verdicts(scene.plan, scene.fleet, scene.keep, scene.queries.authorities)
    yield from certificates.verdicts(scene.plan, scene.fleet, scene.keep)
    yield from mirrors.verdicts(scene.plan, scene.fleet, scene.keep)
    yield from supervision.verdicts(scene.plan, scene.fleet, scene.keep)
    yield from space.verdicts(scene.plan, scene.fleet, scene.keep)


def _wire(scene: Scene) -> Iterator[Verdict]:
    return wire.verdicts(scene.plan, wire.look(scene.plan, scene.fleet), scene.keep)


_WORK, _PROBES, _PACKETS, _TRIALS = Effect.WORK, Effect.PROBES, Effect.PACKETS, Effect.TRIALS
_FAILURE, _TAPS = Effect.FAILURE, Effect.TAPS


def _needs(does: tuple[Effect, ...], spoiled_by: tuple[Effect, ...] = ()) -> Needs:
    """Nothing is judged while something is broken on purpose."""
    return Needs(frozenset(does), frozenset({*spoiled_by, _FAILURE}))


_VOLUME = frozenset({"volume"})
# Drops of one would count as the other's, and a service has a budget for each source.
_SCAN = _needs((_WORK, _PROBES, _PACKETS), (_WORK, _TRIALS))
_PARTS = (
    # It begins first; what sends over a site's line, or has sessions begin again there, comes after.
    Part("volume", _volume, _needs((), (_PROBES, _PACKETS, _TRIALS)), repeated=False),
    Part("config", _config, _needs((_WORK,), (_TRIALS,))),
    Part("vault", _vault, _needs((), (_TRIALS,))),
    # A clock and a VEN that just began are waited for, and seldom asked meanwhile.
    Part("time", _time, _needs(())),
    Part("event", _event, _needs(())),
    # It waits for polls of VENs, which must be registered.
    Part(
        "messages", _messages, replace(_needs((_TAPS,)), after=_VOLUME | {"event"}), "event", repeated=False
    ),
    Part("sessions", _sessions, _needs((_WORK,))),
    # Verifiers ask their mirrors.
    Part("associations", _associations, replace(_needs((_WORK,), (_TRIALS,)), after=_VOLUME), TRUST),
    # Devices log in at the server and wait for each other, by connections and ports that the plan has.
    Part("xmpp", _xmpp, _needs((_PROBES,), (_WORK, _TRIALS))),
    # A station that is tried is one more at the access point.
    Part("wlan", _wlan, _needs((), (_TRIALS,))),
    Part("dot1x", _dot1x, _needs((), (_TRIALS,))),
    # What crosses a LAN and is not planned there counts against it.
    Part("lan", _lan, _needs((_WORK, _PROBES), (_PACKETS, _TRIALS))),
    # A second session is asked for beside the one that stands, by a socket that no plan has.
    Part("pppoe", _pppoe, _needs((_PROBES,))),
    # Packets of a UE that is not attached end at the eNB, by a radio of its own: no filter or line has them.
    Part("access", _access, _needs((_PROBES,))),
    # Whatever is on a line and is not planned there counts against it.
    Part("wire", _wire, _needs((_WORK, _PROBES), (_PACKETS, _TRIALS)), TRUST),
    # Sockets, processes and neighbours of each host are listed, and each is to be explained.
    Part("host", _host, _needs((_WORK,), (_PROBES, _PACKETS, _TRIALS, _TAPS))),
    # All devices must listen within a second or two.
    Part("isolation", _isolation, _needs((_WORK, _PROBES, _PACKETS), (_WORK,))),
    # Delays are measured.
    Part("paths", _paths, Needs(frozenset({_WORK, _PROBES}), ALL - {_TAPS})),
)


def _scan(scene: Scene, every: bool) -> Iterator[Verdict]:
    given = scene.plan, scene.fleet, scene.keep, SystemRandom(), scene.patience
    return port_scan.verdicts(*given, every=every)


def _log_ins(scene: Scene, barred: str) -> Iterator[Verdict]:
    return xmpp_access.verdicts(scene.plan, scene.fleet, scene.keep, scene.queries.authority, barred)


def _clients(scene: Scene, barred: str) -> Iterator[Verdict]:
    authority = scene.queries.authority
    return mms_access.verdicts(scene.plan, scene.fleet, scene.keep, authority, SystemRandom(), barred)


def _rest(scene: Scene, barred: str) -> Iterator[Verdict]:
    given = scene.plan, scene.fleet, scene.keep, scene.queries.authority, barred
    yield from rest_access.verdicts(*given)
    yield from est_access.verdicts(*given)


def _peers(scene: Scene, barred: str) -> Iterator[Verdict]:
    if barred:
        return refusals.not_tried(scene.plan, barred)
    return refusals.verdicts(scene.plan, scene.builds, scene.fleet, scene.keep, scene.queries.authority)


def _on_air(scene: Scene, barred: str) -> Iterator[Verdict]:
    if barred:
        return wlan_trials.not_tried(scene.plan, barred)
    return wlan_trials.verdicts(scene.plan, scene.fleet, scene.keep, scene.queries.authority)


def _on_wire(scene: Scene, barred: str) -> Iterator[Verdict]:
    if barred:
        return port_trials.not_tried(scene.plan, barred)
    return port_trials.verdicts(scene.plan, scene.fleet, scene.keep, scene.queries.authority)


_TRIED: Mapping[str, tuple[Callable[[Scene, str], Iterator[Verdict]], tuple[Effect, ...]]] = {
    "log-ins": (_log_ins, (_TRIALS, _PROBES)),
    "clients": (_clients, (_TRIALS, _PROBES)),
    "rest": (_rest, (_TRIALS, _PROBES)),
    "trials": (_peers, (_TRIALS,)),
    "on-air": (_on_air, (_TRIALS,)),
    "on-wire": (_on_wire, (_TRIALS,)),
}
"""What XMPP, MMS, REST, EST, IPsec and LANs must refuse, and what trying it does."""


def _trials(*, tried: bool) -> Iterator[Part]:
    """What must be refused, tried or, where none may be, said to be not tried.

    The list that bars one of the certificates is new for a while, and mirrors are judged by the newest. Then
    sessions begin again, which crosses sites' lines.
    """
    barred, after = "" if tried else refusals.OUTSIDE_LAB, _VOLUME | {"associations"}
    for name, (examine, does) in _TRIED.items():
        needs = Needs(frozenset(does), frozenset({_FAILURE}), after) if tried else Needs()
        yield Part(name, _barred(examine, barred), needs, REFUSALS, repeated=False)


def _barred(examine: Callable[[Scene, str], Iterator[Verdict]], why: str) -> Examine:
    return lambda scene: examine(scene, why)


def _cleartext(*, may_break: bool) -> Part:
    """That nothing is in clear without a tunnel, which is taken away for it when all else was examined."""
    if not may_break:
        return Part("cleartext", _not_taken, Needs(), REFUSALS, repeated=False)
    return Part("cleartext", _taken_away, Needs(ALL, ALL), REFUSALS, repeated=False)


def _not_taken(scene: Scene) -> Iterator[Verdict]:
    return cleartext.not_tried(scene.plan, cleartext.NOT_ASKED)


def _taken_away(scene: Scene) -> Iterator[Verdict]:
    return cleartext.verdicts(scene.plan, scene.transport, scene.fleet, scene.keep)


def _load(fill: load.Fill) -> Part:
    """That BFD and delay bear a full line, which nothing else could be measured on meanwhile."""
    if fill is load.Fill.NONE:
        return Part("load", _not_filled, Needs(), repeated=False)
    return Part("load", partial(_filled, fill), Needs(ALL, ALL), repeated=False)


def _not_filled(scene: Scene) -> Iterator[Verdict]:
    return load.not_tried(scene.plan)


def _filled(fill: load.Fill, scene: Scene) -> Iterator[Verdict]:
    return load.verdicts(scene.plan, scene.fleet, scene.keep, fill)


def _control(*, may_order: bool) -> Part:
    """That an order of direct control is done once; what it leaves behind is a resource that was ordered."""
    if not may_order:
        return Part("control", _not_ordered, Needs(), repeated=False)
    return Part("control", _ordered, replace(_needs((_WORK, _TAPS)), after=_VOLUME), repeated=False)


def _not_ordered(scene: Scene) -> Iterator[Verdict]:
    return traffic.not_ordered(scene.plan)


def _ordered(scene: Scene) -> Iterator[Verdict]:
    return traffic.ordered(scene.plan, scene.fleet, scene.transport, scene.keep, SystemRandom())
