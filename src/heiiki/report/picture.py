"""The picture of a service: sites on the left, carrier A above, carrier B below, the hub on the right.

Only places are worked out here; the page draws them. A link that carries ESP is drawn as a cable: a jacket
around the line for the site's own (R-SEC-ACCESS), a second one for the hub's VPN to the carrier (R-SEC-ESP).
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from heiiki.design.associations import ACCESS, ESP, associations, is_hub_line, wires
from heiiki.plan.model import Device, Function, Link, Plan, Role
from heiiki.report.completion import is_not_run
from heiiki.report.drawing import BOX_HEIGHT, BOX_WIDTH, Box, Frame, Line, Picture
from heiiki.report.table import worst
from heiiki.requirements import Result, Verdict

KEY = (
    (14, 1, "site's ESP, from its gateway to the hub (R-SEC-ACCESS)"),
    (452, 2, "the same inside the hub's VPN to the carrier, ESP again (R-SEC-ESP)"),
    (970, 0, "a LAN, or a line of the carrier's own that carries nothing of the service"),
)
"""What the jackets mean: place, jackets, words."""

_WIDTH = 1640.0
_TOP = 4.0
_CONTROLLER_X, _SITE_LAN_X, _GATEWAY_X = 84.0, 226.0, 372.0
_CARRIER_LEFT, _CARRIER_RIGHT = 586.0, 1138.0
_HUB_CE_X, _HUB_LAN_X, _SERVER_X = 1312.0, 1394.0, 1556.0
_FRAME_LEFT, _FRAME_RIGHT = 14.0, 446.0
_HEADING = 24.0
_ROW = 62.0
_BETWEEN_SITES = 14.0
_LEAST_HEIGHT = 500.0
_CLEARANCE = 14.0
_BESIDE = 56.0
# Where the row of a path and the row beside it stand in the half of their carrier.
_ROWS = {"a": (0.68, 0.27), "b": (0.36, 0.78)}
_MOST_SITES = 12
_LABEL_CHARACTERS = 16
_SIDE_STEP = 8.0
_PLAIN_KINDS = frozenset({"core", "access", "lan", "radio"})
_PROTECTION = (
    "no packet between site and hub leaves its LAN over it",
    "packets between site and hub: in the site's ESP",
    "packets between site and hub: in the site's ESP, and that in the hub's VPN, ESP again",
)
"""By the number of jackets."""
_WORD = re.compile(r"[^\s/,;>→()]+")


Places = dict[str, tuple[float, float]]


def draw(plan: Plan, verdicts: Iterable[Verdict]) -> Picture:
    """Return the picture of `plan`, with each element that a failed or unknown verdict is about marked."""
    found = tuple(verdicts)
    marks = _marks(plan, found)
    shown = _shown_sites(plan, marks)
    places: Places = {}
    site_frames, bottom = _place_sites(plan, shown, marks, places)
    height = max(bottom + _CLEARANCE, _LEAST_HEIGHT)
    _place_carriers(plan, height, places)
    _place_hub(plan, height, places)
    links = tuple(link for link in plan.links if all(end.device in places for end in link.ends))
    frames = (*_regions(plan, height), *site_frames)
    boxes = tuple(_box(device, places, marks) for device in plan.devices if device.name in places)
    lines = _lines(links, places, marks, _jackets(plan))
    return Picture(_WIDTH, height, frames, lines, boxes, len(plan.sites) - len(shown))


def _jackets(plan: Plan) -> dict[str, int]:
    """Return the number of ESP associations around the packets of each link, none where there is none."""
    protected = {(one.protects, one.network) for one in associations(plan)}
    return {
        link.name: ((ACCESS, link.network) in protected)
        + (is_hub_line(link) and (ESP, link.network) in protected)
        for link in wires(plan)
    }


def _marks(plan: Plan, verdicts: tuple[Verdict, ...]) -> dict[str, Result]:
    """Return the worst result of each element and site, by the names that stand in the subjects.

    A fault that was not run says nothing about its element.
    """
    names = {device.name for device in plan.devices}
    names |= {link.name for link in plan.links} | {site.name for site in plan.sites}
    about: defaultdict[str, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        if is_not_run(verdict):
            continue
        for name in names & _named(verdict.subject):
            about[name].append(verdict)
    results = {name: worst(found) for name, found in about.items()}
    return {name: result for name, result in results.items() if result is not None}


def _named(subject: str) -> set[str]:
    return {subject, subject.rpartition("/")[0], *(word.strip(":.") for word in _WORD.findall(subject))}


def _shown_sites(plan: Plan, marks: Mapping[str, Result]) -> tuple[str, ...]:
    """Return the names of the sites there is room for: those with trouble first, then in plan order."""
    if len(plan.sites) <= _MOST_SITES:
        return tuple(site.name for site in plan.sites)
    calm = {Result.PASS, Result.NOT_APPLICABLE}
    site_of = {device.name: device.site for device in plan.devices}
    troubled = {site_of.get(name, name) for name, result in marks.items() if result not in calm}
    names = sorted((site.name for site in plan.sites), key=lambda name: name not in troubled)
    return tuple(names[:_MOST_SITES])


def _place_sites(
    plan: Plan, shown: tuple[str, ...], marks: Mapping[str, Result], places: Places
) -> tuple[list[Frame], float]:
    devices: defaultdict[str, list[Device]] = defaultdict(list)
    for device in plan.devices:
        if device.site:
            devices[device.site].append(device)
    needed = sum(_site_height(devices[name]) + _BETWEEN_SITES for name in shown)
    spare = max(0.0, _LEAST_HEIGHT - _TOP - _CLEARANCE - needed) / max(1, len(shown))
    frames, top = [], _TOP
    for name in shown:
        height = _site_height(devices[name]) + spare
        _place_site(devices[name], top + _HEADING + (height - _HEADING) / 2, places)
        frames.append(_site_frame(plan, name, top, height, marks))
        top += height + _BETWEEN_SITES
    return frames, top - _BETWEEN_SITES


def _site_height(devices: list[Device]) -> float:
    return _HEADING + _ROW * max(1, len(_gateways(devices)))


def _gateways(devices: list[Device]) -> list[Device]:
    """Return the gateways of one site, network A's first."""
    found = [device for device in devices if device.role in {Role.CE_ROUTER, Role.LTE_GATEWAY}]
    return sorted(found, key=lambda device: device.networks)


def _place_site(devices: list[Device], middle: float, places: Places) -> None:
    _column(_gateways(devices), _GATEWAY_X, middle, _ROW, places)
    switches = [device for device in devices if device.role is Role.LAN_SWITCH]
    _column(switches, _SITE_LAN_X, middle, _ROW, places)
    rest = [device for device in devices if device.name not in places]
    _column(rest, _CONTROLLER_X, middle, _ROW, places)


def _column(devices: list[Device], x: float, middle: float, step: float, places: Places) -> None:
    for index, device in enumerate(devices):
        places[device.name] = (x, middle + (index - (len(devices) - 1) / 2) * step)


def _site_frame(plan: Plan, name: str, top: float, height: float, marks: Mapping[str, Result]) -> Frame:
    site = plan.site(name)
    figure = "b" if site.redundancy == "networks_and_equipment" else "a"
    note = f"figure 5.18 ({figure}) · primary {site.primary.upper()}"
    label = f"{site.number:04d} {site.name}"
    width = _FRAME_RIGHT - _FRAME_LEFT
    return Frame(label, note, "site", _FRAME_LEFT, top, width, height, marks.get(name))


def _carrier(device: Device) -> str:
    """Return the letter of the carrier that `device` stands at, or the empty string."""
    if device.site or device.function in {Function.CE, Function.GATEWAY, Function.SWITCH}:
        return ""
    if device.function in {Function.PE, Function.P, Function.SECOND_CUSTOMER}:
        return "a"
    mobile = {Function.EDGE, Function.PGW, Function.SGW, Function.MME, Function.HSS, Function.ENB}
    return "b" if device.function in mobile | {Function.TEST_UE} else ""


def _place_carriers(plan: Plan, height: float, places: Places) -> None:
    for letter in ("a", "b"):
        devices = [device for device in plan.devices if _carrier(device) == letter]
        ranks = _ranks(plan, letter, devices)
        on_path = [device for device in devices if device.name in ranks]
        beside = [device for device in devices if device.name not in ranks]
        main, other = _rows(letter, height)
        _place_path(on_path, ranks, main, places)
        _place_beside(plan, beside, other, places)


def _rows(letter: str, height: float) -> tuple[float, float]:
    """Return the heights of a carrier's path and of what stands beside it."""
    half = (height - _TOP) / 2
    top = _TOP if letter == "a" else _TOP + half
    main, beside = _ROWS[letter]
    return top + half * main, top + half * beside


def _ranks(plan: Plan, letter: str, devices: list[Device]) -> dict[str, int]:
    """Return how many devices stand between the hub and each device on a path over network `letter`."""
    names = {device.name for device in devices}
    ranks: dict[str, int] = {}
    for path in plan.paths:
        if path.network == letter:
            hops = [name for name in reversed(path.elements) if name in names]
            for rank, name in enumerate(hops):
                ranks[name] = max(rank, ranks.get(name, 0))
    return ranks


def _place_path(devices: list[Device], ranks: Mapping[str, int], y: float, places: Places) -> None:
    steps = max(ranks.values(), default=0)
    span = _CARRIER_RIGHT - _CARRIER_LEFT
    for rank in range(steps + 1):
        x = _CARRIER_RIGHT - span * rank / steps if steps else (_CARRIER_LEFT + _CARRIER_RIGHT) / 2
        _column([device for device in devices if ranks[device.name] == rank], x, y, BOX_HEIGHT + 8, places)


def _place_beside(plan: Plan, devices: list[Device], y: float, places: Places) -> None:
    """Place what stands beside the path near its neighbours, left to right without an overlap."""
    wanted: dict[str, float] = {}
    for device in devices:
        near = [places[name][0] for name in _neighbours(plan, device.name) if name in places]
        near += [wanted[name] for name in _neighbours(plan, device.name) if name in wanted]
        wanted[device.name] = sum(near) / len(near) if near else (_CARRIER_LEFT + _CARRIER_RIGHT) / 2
    names = sorted(wanted, key=lambda name: wanted[name])
    for name, x in zip(names, _spread([wanted[name] for name in names]), strict=True):
        places[name] = (x, y)


def _neighbours(plan: Plan, name: str) -> set[str]:
    return {end.device for link in plan.links for end in link.ends if name in _devices(link)} - {name}


def _devices(link: Link) -> set[str]:
    return {end.device for end in link.ends}


def _spread(wanted: list[float]) -> list[float]:
    """Return places from left to right, at least a box apart, as near as may be to what is wanted."""
    step = BOX_WIDTH + _BESIDE
    places: list[float] = []
    for x in wanted:
        places.append(max(x, places[-1] + step) if places else x)
    over = max(0.0, places[-1] - _CARRIER_RIGHT) if places else 0.0
    limit = float("inf")
    for index in range(len(places) - 1, -1, -1):
        places[index] = min(places[index], limit, _CARRIER_RIGHT if over else limit)
        limit = places[index] - step
    return places


def _place_hub(plan: Plan, height: float, places: Places) -> None:
    rows = {letter: _rows(letter, height)[0] for letter in _ROWS}
    middle = sum(rows.values()) / len(rows)
    hub = [device for device in plan.devices if device.name not in places and _is_at_hub(device)]
    for device in hub:
        if device.role is Role.CE_ROUTER:
            places[device.name] = (_HUB_CE_X, rows["b" if "b" in device.networks else "a"])
    _column([device for device in hub if device.role is Role.LAN_SWITCH], _HUB_LAN_X, middle, _ROW, places)
    rest = [device for device in hub if device.name not in places]
    _column(rest, _SERVER_X, middle, BOX_HEIGHT * 2.2, places)


def _is_at_hub(device: Device) -> bool:
    return not device.site and not _carrier(device)


def _regions(plan: Plan, height: float) -> tuple[Frame, ...]:
    half = (height - _TOP) / 2
    left, width = _CARRIER_LEFT - 76, _CARRIER_RIGHT - _CARRIER_LEFT + 152
    carriers: dict[str, str] = {network.name: network.carrier for network in plan.networks}
    hub_left = _CARRIER_RIGHT + 104
    return (
        Frame(f"Closed network A · {carriers.get('a', '')}", "IP-VPN", "a", left, _TOP, width, half - 8),
        Frame(
            f"Closed network B · {carriers.get('b', '')}",
            "LTE",
            "b",
            left,
            _TOP + half + 8,
            width,
            half - 8,
        ),
        Frame("Energy service provider", "hub", "hub", hub_left, _TOP, _WIDTH - hub_left - 14, height - _TOP),
    )


def _box(device: Device, places: Places, marks: Mapping[str, Result]) -> Box:
    x, y = places[device.name]
    network = device.networks[0] if len(device.networks) == 1 else "lan" if not device.networks else "both"
    addresses = ", ".join(str(address) for address in dict.fromkeys(device.addresses))
    lines = [
        f"{device.name}: {device.function}",
        addresses,
        f"platform {device.platform}" if device.platform else "",
    ]
    label = device.name
    if len(label) > _LABEL_CHARACTERS:
        label = f"{label[: _LABEL_CHARACTERS - 1]}…"
    detail = str(device.function)
    tooltip = "\n".join([*(line for line in lines if line), _told(marks.get(device.name))])
    return Box(device.name, label, detail, x, y, network, marks.get(device.name), tooltip)


def _told(result: Result | None) -> str:
    return f"worst verdict about it: {result}" if result else "no verdict names it"


def _lines(
    links: tuple[Link, ...], places: Places, marks: Mapping[str, Result], jackets: Mapping[str, int]
) -> tuple[Line, ...]:
    seen: Counter[frozenset[str]] = Counter()
    lines = []
    for link in links:
        pair = frozenset(_devices(link))
        step, around = seen[pair] * _SIDE_STEP, jackets.get(link.name, 0)
        lines.append(_line(link, places, step, marks.get(link.name), around))
        seen[pair] += 1
    return tuple(lines)


def _line(link: Link, places: Places, side_step: float, result: Result | None, jackets: int) -> Line:
    (x1, y1), (x2, y2) = sorted(places[end.device] for end in link.ends)
    y1, y2 = y1 + side_step, y2 + side_step
    path, x, y = _curve(x1, y1, x2, y2)
    label = "" if link.kind in _PLAIN_KINDS else link.kind
    told = f"{link.name} ({link.kind})\n{link.a} to {link.b}\n{_PROTECTION[jackets]}\n{_told(result)}"
    return Line(link.name, path, link.segment, link.kind == "radio", label, x, y, result, told, jackets)


def _curve(x1: float, y1: float, x2: float, y2: float) -> tuple[str, float, float]:
    """Return an SVG path between the sides of two boxes that face one another, and its middle."""
    middle = ((x1 + x2) / 2, (y1 + y2) / 2)
    if x2 - x1 < BOX_WIDTH + _CLEARANCE:
        return f"M{x1:.1f} {y1:.1f} L{x2:.1f} {y2:.1f}", *middle
    start, end = x1 + BOX_WIDTH / 2, x2 - BOX_WIDTH / 2
    bend = max(16.0, (end - start) * 0.55)
    path = f"M{start:.1f} {y1:.1f} C{start + bend:.1f} {y1:.1f} {end - bend:.1f} {y2:.1f} {end:.1f} {y2:.1f}"
    return path, *middle
