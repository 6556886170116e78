"""Every subject that must have a verdict, by the plan: one without any is *unknown* (D14).

A check that yields nothing for a site, a pair or a device would otherwise leave the cell to the others.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from heiiki import dispatch
from heiiki.design import dot1x, enrolment, pppoe, sizes, wlan
from heiiki.design.associations import ipsec_devices, protected
from heiiki.design.subjects import subjects as design_subjects
from heiiki.design.time import REQUIREMENT
from heiiki.plan.model import Function, Network, Plan
from heiiki.render.dot1x import REQUIREMENT as PORT
from heiiki.render.model import DeviceBuild
from heiiki.render.pppoe import REQUIREMENT as LINE
from heiiki.render.wlan import REQUIREMENT as WLAN
from heiiki.report.samples import REQUIREMENT as MESSAGES
from heiiki.requirements import Stage
from heiiki.verify import absent, access, cluster, load, messages, octets, time, vault, volume
from heiiki.verify.config import server
from heiiki.verify.config.running import filter_subject, filtered, requirements_of
from heiiki.verify.dot1x import trials as port_trials
from heiiki.verify.est import access as est_access
from heiiki.verify.est import served as est_served
from heiiki.verify.events import served, standby
from heiiki.verify.host import state
from heiiki.verify.ipsec import anchors, cleartext, mirrors, refusals, space, supervision
from heiiki.verify.isolation import carrier, control, lan, sites, spoofing
from heiiki.verify.mms import access as mms_access
from heiiki.verify.mms import orders
from heiiki.verify.network import gateways, host
from heiiki.verify.pppoe import trials as pppoe_trials
from heiiki.verify.rest import access as rest_access
from heiiki.verify.routing.expected import expectations
from heiiki.verify.scan import course as port_scan
from heiiki.verify.wired import data
from heiiki.verify.wlan import trials as wlan_trials
from heiiki.verify.xmpp import access as xmpp_access
from heiiki.verify.xmpp import exchange

Pair = tuple[str, Stage]
Named = Iterator[tuple[str, str]]
"""Requirement and subject."""


def expected(plan: Plan, builds: Sequence[DeviceBuild]) -> Mapping[Pair, tuple[str, ...]]:
    """Return the subjects of every requirement and stage that depend on the plan.

    Those of faults and associations are known to the report itself (`heiiki.report.completion`).
    """
    found: defaultdict[Pair, dict[str, None]] = defaultdict(dict)
    by_stage = ((Stage.DESIGN, _design), (Stage.CONFIG, _config), (Stage.LIVE, _live))
    for stage, name in by_stage:
        for identifier, subject in name(plan, builds):
            found[identifier, stage][subject] = None
    return {pair: tuple(subjects) for pair, subjects in found.items()}


def _design(plan: Plan, _builds: Sequence[DeviceBuild]) -> Named:
    return design_subjects(plan)


def _config(plan: Plan, builds: Sequence[DeviceBuild]) -> Named:
    for build in builds:
        yield from ((identifier, build.device) for identifier in requirements_of(build))
    yield from ((identifier, server.SUBJECT) for identifier in server.REQUIREMENTS)
    for device in ipsec_devices(plan):
        for identifier in protected(device):
            yield identifier, f"IKE daemon of {device.name}"
            yield identifier, anchors.subject(device.name)
    yield from ((one.requirement, one.subject) for one in absent.verdicts(plan))


def _of_enrolment(plan: Plan) -> Iterator[str]:
    yield from enrolment.ABSENT.subjects(plan)
    yield from est_served.subjects(plan)
    yield from est_access.subjects(plan)


def _live(plan: Plan, builds: Sequence[DeviceBuild]) -> Named:
    yield from (("R-MINIMAL", state.subject(device.name)) for device in plan.managed())
    for build in builds:
        yield from ((identifier, state.subject(build.device)) for identifier in state.judged_for(build))
        yield from ((identifier, filter_subject(build.device)) for identifier in filtered(build))
    yield from ((REQUIREMENT, time.subject(device.name)) for device in time.clocked(plan))
    yield from ((served.REQUIREMENT, served.subject(ven)) for ven in dispatch.served(plan).values())
    yield standby.REQUIREMENT, standby.SUBJECT
    yield "R-ISO-GROUP", state.HUB_LAN
    yield from (("R-DUAL", name) for name in expectations(plan))
    yield from ((supervision.REQUIREMENT, supervision.subject(name)) for name in supervision.watchers(plan))
    yield from (("R-THEFT", space.subject(name)) for name in plan.pki.vaults)
    yield from (("R-THEFT", mirrors.subject(name)) for name in mirrors.verifiers(plan))
    yield "R-THEFT", vault.LOG_INS
    yield from (("R-THEFT", subject) for subject in cluster.expected(plan))
    yield from ((WLAN, subject) for subject in wlan.subjects(plan))
    yield from ((PORT, subject) for subject in dot1x.subjects(plan))
    yield from ((data.REQUIREMENT, subject) for subject in data.subjects(plan))
    yield from ((LINE, subject) for subject in (*pppoe.subjects(plan), *pppoe_trials.subjects(plan)))
    yield from ((enrolment.REQUIREMENT, subject) for subject in _of_enrolment(plan))
    yield from ((MESSAGES, subject) for subject in messages.subjects(plan))
    yield from ((octets.REQUIREMENT, subject) for subject in messages.subjects(plan))
    yield from ((volume.REQUIREMENT, subject) for subject in volume.subjects(plan))
    yield from _of_sites(plan)
    yield from _of_isolation(plan)
    yield from _of_trials(plan)


def _of_sites(plan: Plan) -> Named:
    for site in plan.sites:
        for network in Network:
            yield "R-DUAL", f"{site.name} over {network.upper()}"
            yield "R-DELAY", f"{site.name} over {network.upper()}"
            yield sizes.REQUIREMENT, sizes.subject(site, network)
            yield load.REQUIREMENT, load.subject(site, network)
        yield "R-DELAY", f"{site.name} in service"


def _of_isolation(plan: Plan) -> Named:
    yield from (("R-ISO-SITE", f"routes of {device.name}") for device in gateways(plan))
    yield from (("R-ISO-SITE", subject) for subject in sites.subjects(plan))
    yield from (("R-ISO-GROUP", f"seen from {site.controller}") for site in plan.sites)
    yield "R-ISO-GROUP", f"seen from {host(plan, Function.DRAS).name}"
    customers = [device.name for device in carrier.second_customers(plan)]
    yield from (("R-ISO-CARRIER", f"second customer at {name}") for name in customers)
    routers = dict.fromkeys(out.device for out, _, _, _ in carrier.attachments(plan))
    yield from (("R-ISO-CARRIER", f"carrier router {name}") for name in routers)
    exits = dict.fromkeys(one.out for one in spoofing.packets(plan) if one.topic == spoofing.TOPIC)
    yield from (("R-ISO-MALICE", spoofing.exit_subject(plan, out)) for out in exits)
    yield from ((control.REQUIREMENT, subject) for subject in control.subjects(plan))
    yield from ((port_scan.REQUIREMENT, subject) for subject in port_scan.subjects(plan))
    yield from ((lan.REQUIREMENT, subject) for subject in lan.subjects(plan))


def _of_trials(plan: Plan) -> Named:
    if xmpp := xmpp_access.subjects(plan):
        yield exchange.REQUIREMENT, exchange.SUBJECT
        yield from ((xmpp_access.REQUIREMENT, subject) for subject in xmpp)
    yield from ((mms_access.REQUIREMENT, subject) for subject in mms_access.subjects(plan))
    yield from ((orders.REQUIREMENT, subject) for subject in orders.subjects(plan))
    yield from ((WLAN, subject) for subject in wlan_trials.subjects(plan))
    yield from ((PORT, subject) for subject in port_trials.subjects(plan))
    yield from ((rest_access.REQUIREMENT, subject) for subject in rest_access.subjects(plan))
    for verdict in (*refusals.not_tried(plan, "expected"), *cleartext.not_tried(plan, "expected")):
        yield verdict.requirement, verdict.subject
    if access.test_ue(plan) is not None:
        names = (*(one.name for one in access.attempts(plan)), "subscribed SIM")
        yield from (("R-SEC-ACCESS", name) for name in names)
        yield "R-ISO-CARRIER", "UE that is not attached"
