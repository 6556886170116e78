"""R-SEC-ACCESS/line on paper: what both ends of an optical line, and who decides about it, are sent.

Judged are the texts that the devices are sent: pppd's options, FreeRADIUS' configurations, the list of users.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from heiiki.design.absence import Absence
from heiiki.design.sent import Sent
from heiiki.plan.model import Device, Plan, PppoeClient, PppoeLine, RadiusProxy
from heiiki.render.pppoe import REQUIREMENT
from heiiki.render.units import FOLDER as UNITS
from heiiki.requirements import Result, Stage, Verdict
from heiiki_agent import pppoe, radius

_Words = tuple[str, ...]
_CHAP_ALONE = frozenset({"refuse-pap", "refuse-mschap", "refuse-mschap-v2", "refuse-eap"})
_LOCAL = "127.0.0.1"
_SIGNED = "require_message_authenticator"
_WHO_ASKS = re.compile(
    r'^\s*update request {\n\s*&NAS-Identifier !\* ANY\n\s*&NAS-Identifier := "%{client:shortname}"\n',
    re.MULTILINE,
)
"""A PE is called by what its address says: the name that it gives itself is taken out, be it there twice."""
_PASSED = (
    "CHAP alone, for one user on one line, with the address of the plan; one session at a time; what asks "
    "about it is signed on every hop but the PE's own loopback, and goes to the hub by RadSec, where both "
    "names and the lists are checked"
)


@dataclass(frozen=True, slots=True)
class OpticalLine:
    """A site's line, and its two ends."""

    site: str
    router: Device
    session: PppoeClient
    pe: Device
    line: PppoeLine
    proxy: RadiusProxy

    @property
    def subject(self) -> str:
        """Subject of the verdicts on the line as a whole."""
        return f"line of {self.site}"

    @property
    def ends(self) -> tuple[Device, Device]:
        """The site's router and the PE."""
        return self.router, self.pe

    @property
    def in_service(self) -> bool:
        """Whether both ends are ours to ask: a revoked one is not."""
        return self.router.managed and self.pe.managed


def lines(plan: Plan) -> Iterator[OpticalLine]:
    """Yield the optical lines, in the order of the sites."""
    ends = {line.client: (device, line) for device in plan.devices for line in device.pppoe_lines}
    for site in plan.sites:
        router = plan.device(site.gateways[0])
        if router.pppoe is not None and router.name in ends:
            pe, line = ends[router.name]
            if pe.radius_proxy is not None:
                yield OpticalLine(site.name, router, router.pppoe, pe, line, pe.radius_proxy)


ABSENT = Absence(REQUIREMENT, "access lines", "no site's line is a session of PPPoE", lines)


def subjects(plan: Plan) -> Iterator[str]:
    """Yield the subjects that the lines of sites have at each stage."""
    yield from (line.subject for line in lines(plan))
    yield from ABSENT.subjects(plan)


def verdicts(plan: Plan, sent: Mapping[str, Sent]) -> Iterator[Verdict]:
    """Yield a verdict for each optical line; one that says so where there is none."""
    yield from ABSENT.verdicts(plan, Stage.DESIGN)
    for line in lines(plan):
        if not line.in_service:
            reason = "an end of it is revoked, and is sent nothing"
            yield Verdict(REQUIREMENT, line.subject, Stage.DESIGN, Result.NOT_APPLICABLE, reason)
            continue
        wrong = list(_problems(plan, line, {name: one.files for name, one in sent.items()}))
        result = Result.FAIL if wrong else Result.PASS
        yield Verdict(REQUIREMENT, line.subject, Stage.DESIGN, result, "; ".join(wrong) or _PASSED)


def _problems(plan: Plan, line: OpticalLine, sent: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    yield from _of_router(line, sent[line.router.name])
    yield from _of_pe(line, sent[line.pe.name])
    hub = next(device for device in plan.devices if device.radius_proxy and device.radius_proxy.home)
    for device in dict.fromkeys((line.pe.name, hub.name)):
        yield from _of_proxy(plan.device(device), sent[device])
    server = next(device for device in plan.devices if device.radius is not None)
    yield from _of_server(line, server, sent[server.name])


def _words(text: str) -> tuple[_Words, ...]:
    rows = (line.split() for line in text.splitlines() if not line.startswith("#"))
    return tuple(tuple(row) for row in rows if row)


def _missing(device: str, wanted: Iterable[_Words], found: tuple[_Words, ...]) -> Iterator[str]:
    for words in wanted:
        if words not in found:
            yield f"{device}: `{' '.join(words)}` is not among its options"


def _of_router(line: OpticalLine, files: Mapping[str, str]) -> Iterator[str]:
    found, session = _words(files.get(str(pppoe.CLIENT_OPTIONS), "")), line.session
    wanted = (
        *((word,) for word in sorted(_CHAP_ALONE)),
        ("user", f'"{session.user}"'),
        (f"{session.address}:{session.peer}",),
        ("mtu", str(session.mtu)),
        ("mru", str(session.mtu)),
        ("nodefaultroute",),
    )
    yield from _missing(line.router.name, wanted, found)


def _of_pe(line: OpticalLine, files: Mapping[str, str]) -> Iterator[str]:
    here = line.line
    found = _words(files.get(str(pppoe.server_options(here.interface)), ""))
    wanted = (
        *((word,) for word in sorted(_CHAP_ALONE)),
        ("auth",),
        ("require-chap",),
        ("plugin", "radius.so"),
        ("avpair", f"NAS-Port-Id={here.interface}"),
        ("ipparam", here.vrf),
        ("ip-pre-up-script", str(pppoe.PRE_UP)),
        ("radius-config-file", str(pppoe.RADIUS_CLIENT)),
    )
    yield from _missing(line.pe.name, wanted, found)
    started = files.get(f"{UNITS}/{pppoe.server_unit(here.interface)}.service", "")
    if not re.search(r"^ExecStart=.* -N 1( |$)", started, re.MULTILINE):
        yield f"{line.pe.name} takes more than one session on {here.interface}"
    if not re.search(rf"^ExecStart=.* -I {here.port} ", started, re.MULTILINE):
        yield f"{line.pe.name} does not serve {here.port}"


def _sections(text: str, kind: str) -> Iterator[tuple[str, str]]:
    """Yield name and text of each section of a kind at the top of a configuration of FreeRADIUS."""
    for found in re.finditer(rf"^{kind} (\S+) {{\n(.*?)^}}", text, re.MULTILINE | re.DOTALL):
        yield found[1], found[2]


def _value(text: str, key: str) -> str:
    found = re.search(rf"^\s*{key} = (.*)$", text, re.MULTILINE)
    return found[1].strip('"') if found else ""


def _of_proxy(device: Device, files: Mapping[str, str]) -> Iterator[str]:
    text = files.get(str(radius.CONFIG), "")
    yield from _who_asks(device.name, text)
    homes = tuple(_sections(text, "home_server"))
    if not homes:
        yield f"{device.name} names no server to forward to"
    proxy = device.radius_proxy
    for name, section in homes:
        if proxy is not None and proxy.home is not None:
            yield from _tls(device.name, name, section, proxy.home.host)
        elif _value(section, _SIGNED) != "yes":
            yield f"{device.name} takes answers of {name} that are not signed"
    realms = [name for name, _ in _sections(text, "realm")]
    if proxy is not None and realms != [proxy.realm]:
        yield f"{device.name} forwards the realms {', '.join(realms) or 'none'}, not {proxy.realm} alone"


def _who_asks(device: str, text: str) -> Iterator[str]:
    for name, section in _sections(text, "client"):
        if _value(section, _SIGNED) != "yes" and _value(section, "ipaddr") != _LOCAL:
            yield f"{device} takes what {name} does not sign"
    if not _WHO_ASKS.search(text):
        yield f"{device} lets who asks say which PE it is"


def _tls(device: str, what: str, section: str, peer: str) -> Iterator[str]:
    wanted = {"check_crl": "yes", "check_cert_cn": peer, "tls_min_version": "1.2", "proto": "tcp"}
    for key, value in wanted.items():
        if _value(section, key) != value:
            yield f"{device}: {key} of {what} is {_value(section, key) or 'not set'}, not {value}"


def _of_server(line: OpticalLine, server: Device, files: Mapping[str, str]) -> Iterator[str]:
    text, wanted = files.get(str(radius.CONFIG), ""), server.radius
    for name, section in _sections(text, "server"):
        if wanted is not None:
            yield from _tls(server.name, name, section, wanted.client)
            if _value(section, "require_client_cert") != "yes":
                yield f"{server.name} asks for no certificate"
    own = re.compile(rf"^{re.escape(line.session.user)} ", re.MULTILINE)
    rows = [row for row in files.get(str(radius.USERS), "").split("\n\n") if own.search(row)]
    if len(rows) != 1:
        yield f"{server.name} knows {line.session.user} {len(rows)} times"
    for row in rows:
        for part in (
            f'NAS-Identifier == "{line.pe.name}"',
            f'NAS-Port-Id == "{line.line.interface}"',
            f"Framed-IP-Address = {line.session.address},",
            f"Framed-MTU = {line.session.mtu}",
        ):
            if part not in row:
                yield f"{server.name}: `{part}` is not in the entry of {line.session.user}"
