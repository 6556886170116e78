"""Sites from what NetBox has: sites, their circuits and their devices (REST API of 4.2 and later).

What NetBox has objects for comes from these; every other key of a site file from a custom field of the site,
called `heiiki_` and the key with `_` for `.`. Where both say something, they must agree.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heiiki.errors import Problem, SourceError
from heiiki.intent import load
from heiiki.intent.place import SERVICE_FILE
from heiiki.intent.yaml_source import YamlSource
from heiiki.sources.keys import Key, parsed, site_keys
from heiiki.sources.model import Given, Inventory, Place, Record, Value
from heiiki.sources.netbox_client import Answers, Object, ask

CE_ROUTER, LTE_GATEWAY = "ce-router", "lte-gateway"
CONTROLLERS = ("bems", "erc")
ROLES = (CE_ROUTER, LTE_GATEWAY, *CONTROLLERS)
"""Slugs of the device roles that are looked at."""
_GONE = frozenset({"deprovisioning", "decommissioned", "decommissioning", "inventory"})
"""States of circuits and devices that are not there, or no longer."""

_EMPTY: tuple[Any, ...] = (None, "", [])

COMES_FROM: Mapping[str, str] = {
    "name": "the site's slug, with `_` for `-`",
    "customer": "the site's tenant",
    "redundancy": f"the roles of the site's devices: `{CE_ROUTER}` and `{LTE_GATEWAY}`, or the latter alone",
    "controller": f"the role of the site's device: {' or '.join(f'`{role}`' for role in CONTROLLERS)}",
    "a.circuit": "the circuit ID of the site's circuit of network A's carrier",
    "a.bandwidth_kbps": "the commit rate of that circuit",
    "a.platform": f"the platform of the site's `{CE_ROUTER}`: its slug, with `_` for `-`",
    "b.sim": "the circuit ID of the site's circuit of network B's carrier: the IMSI",
    "b.bandwidth_kbps": "the commit rate of that circuit",
}
"""What each key comes from, beside its custom field."""


@dataclass(frozen=True, slots=True)
class _Derived:
    """A value that an object of NetBox stands for."""

    key: str
    value: Any
    place: Place


def read_netbox(url: str, folder: Path, tag: str) -> Inventory:
    """Read the sites with a tag from NetBox, for the service in `folder`, which names the carriers.

    Raises:
        SourceError: NetBox cannot be asked, or has no such site.
        IntentError: ``service.yml`` has mistakes.
    """
    carriers = _carriers(folder)
    answers = ask(url, tag, tuple(carriers), ROLES)
    if not answers.sites:
        raise SourceError(f"{url}: no site has the tag `{tag}`; tag the sites of the service, or say --tag")
    return inventory(url, answers, carriers)


def inventory(url: str, answers: Answers, carriers: Mapping[str, str]) -> Inventory:
    """Return what the answers say of sites.

    Args:
        url: the address of NetBox.
        answers: sites, circuits and devices.
        carriers: letter of the network, by the slug of its provider.
    """
    problems: list[Problem] = []
    circuits = _by_site(answers.circuits, _ends)
    devices = _by_site(answers.devices, lambda device: [device["site"]["id"]])
    records = []
    for site in answers.sites:
        derived = [
            *_of_site(site),
            *_of_circuits(circuits[site["id"]], carriers, problems),
            *_of_devices(devices[site["id"]], problems),
        ]
        records.append(_record(site, derived, problems))
    return Inventory(url, tuple(records), tuple(problems), _remedies(), {})


def custom_field(key: str) -> str:
    """Return the name of the custom field for a key."""
    return f"heiiki_{key.replace('.', '_')}"


def _remedies() -> dict[str, str]:
    fields = {key: f"give the site the custom field `{custom_field(key)}`" for key in site_keys()}
    return fields | {key: f"{fields[key]}, or record {origin}" for key, origin in COMES_FROM.items()}


def _carriers(folder: Path) -> dict[str, str]:
    """Return the letter of each carrier's network by the slug of its provider."""
    file = folder / SERVICE_FILE
    value = YamlSource(file, file.read_text("utf-8")).value if file.is_file() else {}
    try:
        networks = (value or {})["networks"]
        return {networks[letter]["carrier"].replace("_", "-"): letter for letter in "ab"}
    except (TypeError, KeyError, AttributeError):
        load(folder)
        raise


def _by_site(objects: Sequence[Object], sites: Any) -> Mapping[int, list[Object]]:
    found: dict[int, list[Object]] = defaultdict(list)
    for one in objects:
        if (one.get("status") or {}).get("value") not in _GONE:
            for site in sites(one):
                found[site].append(one)
    return found


def _ends(circuit: Object) -> Iterator[int]:
    """Yield the sites at which a circuit ends."""
    ends = [circuit.get("termination_a"), circuit.get("termination_z")]
    yield from {
        end["termination_id"]
        for end in ends
        if end and end.get("termination_type") == "dcim.site" and end.get("termination_id")
    }


def _place(one: Object, field: str) -> Place:
    return Place(str(one.get("display_url") or one["url"]), where=field)


def _of_site(site: Object) -> Iterator[_Derived]:
    yield _Derived("name", site["slug"].replace("-", "_"), _place(site, "slug"))
    if site.get("tenant"):
        yield _Derived("customer", site["tenant"]["name"], _place(site, "tenant"))


def _of_circuits(
    circuits: Sequence[Object], carriers: Mapping[str, str], problems: list[Problem]
) -> Iterator[_Derived]:
    keys = {"a": "a.circuit", "b": "b.sim"}
    first: dict[str, Object] = {}
    for circuit in circuits:
        letter = carriers.get(circuit["provider"]["slug"])
        if letter is None:
            continue
        if letter in first:
            what = f"the site has two circuits of this carrier: {first[letter]['cid']} is the other"
            fix = "decommission one of them, or let it end elsewhere"
            problems.append(_place(circuit, "cid").problem(what, fix))
            continue
        first[letter] = circuit
        yield _Derived(keys[letter], circuit["cid"], _place(circuit, "cid"))
        yield _Derived(f"{letter}.bandwidth_kbps", circuit.get("commit_rate"), _place(circuit, "commit_rate"))


def _of_devices(devices: Sequence[Object], problems: list[Problem]) -> Iterator[_Derived]:
    first: dict[str, Object] = {}
    for device in devices:
        role = device["role"]["slug"]
        if (other := first.get(role)) is not None:
            what = f"the site has two devices of role `{role}`: {other['display']} is the other"
            problems.append(
                _place(device, "role").problem(what, "change the role or the state of one of them")
            )
        first.setdefault(role, device)
    if LTE_GATEWAY in first:
        both = CE_ROUTER in first
        place = _place(first[CE_ROUTER if both else LTE_GATEWAY], "role")
        yield _Derived("redundancy", "networks_and_equipment" if both else "networks", place)
    elif CE_ROUTER in first:
        what = f"the site has a `{CE_ROUTER}` and no `{LTE_GATEWAY}`, which each site needs"
        problems.append(
            _place(first[CE_ROUTER], "role").problem(what, "record the gateway, or mend the role")
        )
    if CE_ROUTER in first and (platform := first[CE_ROUTER].get("platform")):
        name = platform["slug"].replace("-", "_")
        yield _Derived("a.platform", name, _place(first[CE_ROUTER], "platform"))
    for role in CONTROLLERS:
        if role in first:
            yield _Derived("controller", role, _place(first[role], "role"))


def _record(site: Object, derived: Sequence[_Derived], problems: list[Problem]) -> Record:
    values: dict[str, Given] = {}
    fields = site.get("custom_fields") or {}
    own = [
        _Derived(key, fields.get(custom_field(key)), _place(site, f"custom_fields.{custom_field(key)}"))
        for key in site_keys()
    ]
    for one in (*derived, *own):
        given = _given(site_keys()[one.key], one, problems)
        if given is None:
            continue
        other = values.setdefault(one.key, given)
        if other.value != given.value:
            what = (
                f"`{given.value}` disagrees with `{other.value}` of {other.place.file} ({other.place.where})"
            )
            problems.append(given.place.problem(what, "mend one of them"))
    told = {one.key for one in (*derived, *own) if one.value not in _EMPTY}
    blank = {key: _place(site, key) for key in site_keys() if key not in told}
    return Record(_place(site, ""), values, blank)


def _given(key: Key, one: _Derived, problems: list[Problem]) -> Given | None:
    value = one.value.get("value") if isinstance(one.value, dict) else one.value
    if value in _EMPTY:
        return None
    text = ";".join(map(str, value)) if isinstance(value, list) else str(value).strip()
    try:
        found: Value = parsed(key, text)
    except ValueError as error:
        problems.append(one.place.problem(*error.args))
        found = text
    return Given(found, one.place) if key.name != "number" or isinstance(found, int) else None
