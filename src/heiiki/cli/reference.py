"""The reference, from models, timer profiles and drivers: pages, and JSON Schemas of what a person writes."""

import json
from collections.abc import Callable, Iterator, Mapping
from operator import attrgetter
from pathlib import Path
from typing import Any

import click

from heiiki.cli.group import examples
from heiiki.cli.terminal import say
from heiiki.fleet.safety import safety_page
from heiiki.intent.forms import FORMS
from heiiki.intent.model import Retired, Revoked, Service, Site
from heiiki.intent.networks import Model
from heiiki.plan.model import Timers
from heiiki.plan.timers import PROFILES
from heiiki.sources import import_page

_MARKS = ("by `heiiki reference docs/reference`; do not edit", '"title": "Heiiki: ')
_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_FILES: dict[str, tuple[str, type[Model]]] = {
    "service": ("service.yml", Service),
    "site": ("sites/NNNN-name.yml", Site),
    "retired": ("retired.yml", Retired),
    "revoked": ("revoked.yml", Revoked),
}

_HEAD = """\
# What you write

Made from the models by `heiiki reference docs/reference`; do not edit. A service is a folder:

| file | what it holds | schema |
|---|---|---|
| `service.yml` | what is common to all sites | [service.schema.json](service.schema.json) |
| `sites/NNNN-name.yml` | one site; `NNNN` is its number | [site.schema.json](site.schema.json) |
| `retired.yml` | numbers of sites that are gone; optional | [retired.schema.json](retired.schema.json) |
| `revoked.yml` | revoked devices; optional | [revoked.schema.json](revoked.schema.json) |

An editor with a YAML language server completes and checks a file that begins with, for example,
`# yaml-language-server: $schema=../../../docs/reference/site.schema.json`. What no schema can tell (a number
or a SIM used twice, pools that overlap, undefined names) `heiiki check DIR` tells, with the place.

The files are YAML, UTF-8, 256 KiB each at most. Numbers are plain digits; a name made of digits is quoted.
Aliases, tags and doubled keys are refused: an order must be readable as it stands.

Units: times in milliseconds (`_ms`), seconds (`_s`) or hours (`_h`); volumes in megabytes, 10⁶ bytes, a month
(`_mb`); prices in yen a month without tax (`_yen`). The timers that `timers` chooses stand on
[a page of their own](timers.md).
"""


def reference_files() -> dict[str, str]:
    """Return every file of the reference, by name."""
    schemas = {f"{name}.schema.json": schema(name) for name in _FILES}
    pages = {"import.md": import_page(), "push.md": safety_page(), "timers.md": timers_page()}
    return {"intent.md": _page(), **pages, **schemas}


def may_be_replaced(path: Path) -> bool:
    """Tell whether nothing is at a page's path, or a page of an earlier run, by its own words."""
    if path.is_symlink() or (path.exists() and not path.is_file()):
        return False
    if not path.exists():
        return True
    text = path.read_text(encoding="utf-8", errors="replace")
    return any(mark in text for mark in _MARKS)


def schema(name: str) -> str:
    """Return the JSON Schema of ``service``, ``site``, ``retired`` or ``revoked`` as text."""
    written, model = _FILES[name]
    found = {"$schema": _DRAFT, **model.model_json_schema(), "title": f"Heiiki: {written}"}
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def _page() -> str:
    sections = (_sections(written, model) for written, model in _FILES.values())
    return "\n".join([_HEAD, *(section for part in sections for section in part)])


def _sections(written: str, model: type[Model]) -> Iterator[str]:
    """Yield the section of a file, then one for each mapping in it."""
    root = model.model_json_schema()
    yield _section(f"## `{written}`", root)
    for name, part in root.get("$defs", {}).items():
        yield _section(f"### {name}", part)


def _section(heading: str, part: Mapping[str, Any]) -> str:
    required = part.get("required", ())
    rows = [
        f"| `{key}` | {_kind(value)} | {_presence(key in required, value)} | {value.get('description', '')} |"
        for key, value in part["properties"].items()
    ]
    about = " ".join(part.get("description", "").split())
    return "\n".join([heading, "", about, "", "| key | value | | meaning |", "|---|---|---|---|", *rows, ""])


def _presence(required: bool, value: Mapping[str, Any]) -> str:
    if required:
        return "required"
    default = value.get("default")
    return f"default `{json.dumps(default)}`" if default not in (None, [], "") else "optional"


def _kind(value: Mapping[str, Any]) -> str:
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for several in ("anyOf", "oneOf"):
        if several in value:
            return " or ".join(_kind(item) for item in value[several] if item.get("type") != "null")
    if "const" in value:
        return f"`{value['const']}`"
    if "enum" in value:
        return " or ".join(f"`{item}`" for item in value["enum"])
    return _PLAIN[value["type"]](value)


def _text(value: Mapping[str, Any]) -> str:
    if value.get("format") == "ipv4network":
        return "IPv4 prefix, such as 10.16.0.0/18"
    longest = f", {value['maxLength']} characters at the most" if "maxLength" in value else ""
    form = FORMS[value["pattern"]] if "pattern" in value else "text"
    return form if "at the most" in form else f"{form}{longest}"


def _range(word: str, value: Mapping[str, Any]) -> str:
    if {"minimum", "maximum"} <= value.keys():
        return f"{word}, {value['minimum']:.10g} to {value['maximum']:.10g}"
    return f"{word}, {value['minimum']:g} or more" if "minimum" in value else word


def _list(value: Mapping[str, Any]) -> str:
    if "prefixItems" in value:
        return f"list of {len(value['prefixItems'])}: {_kind(value['prefixItems'][0])}"
    least = f", {value['minItems']} at least" if "minItems" in value else ""
    return f"list of {_kind(value['items'])}{least}"


_PLAIN: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "string": _text,
    "integer": lambda value: _range("whole number", value),
    "number": lambda value: _range("number", value),
    "array": _list,
    "boolean": lambda _: "`true` or `false`",
}
"""Words by the type that a schema names."""


_TIMERS_HEAD = """\
# Timer profiles

Made from the profiles by `heiiki reference docs/reference`; do not edit. `timers:` in `service.yml` chooses.

`laboratory` watches every path quickly. `production` watches the active path so, and the standby slowly:
on LTE every packet of supervision counts against the SIM's volume (R-COST). `heiiki check` sums the
switch-over budget (R-GAP) from the timers in what devices are sent, and shows volume and price of both.
"""

_MEANINGS: dict[str, tuple[str, str]] = {
    "bfd_active": (
        "BFD of the active path and of LANs (RFC 5880): interval × multiplier",
        "ms",
    ),
    "bfd_standby": ("BFD of the standby path: interval × multiplier", "ms"),
    "bfd_underlay": ("BFD below the tunnels, slower than the active path's: interval × multiplier", "ms"),
    "vrrp_advert_ms": ("VRRP advertisement interval (RFC 9568)", "ms"),
    "vrrp_preempt_delay_s": ("wait of a returning VRRP master before it takes over again", "s"),
    "lan_probe_ms": ("interval of the LAN watch's ARP probes", "ms"),
    "lan_probe_lost": ("lost probes in a row after which the LAN counts as dead", "probes"),
    "bgp_connect_s": ("BGP connect retry (RFC 4271)", "s"),
    "bgp_keepalive_s": ("BGP KEEPALIVE interval (RFC 4271)", "s"),
    "bgp_hold_s": ("BGP hold time (RFC 4271)", "s"),
    "crl_poll_s": ("interval at which a verifier asks for revocation lists by itself", "s"),
    "openadr_poll_s": ("interval at which a VEN asks for events", "s"),
    "ospf_spf_ms": ("hold-down of the carrier's shortest-path computation", "ms"),
    "ike.dpd_delay_s": ("IKEv2 liveness: silence after which a peer is asked (RFC 7296 2.4)", "s"),
    "ike.retransmit_tries": ("IKEv2 retransmissions before a peer is given up", "messages"),
    "ike.give_up_s": ("from the last packet of a dead IKEv2 peer until it is given up", "s"),
    "ike.rekey_ike_s": ("life of an IKE SA", "s"),
    "ike.rekey_esp_s": ("life of an ESP SA, with a key exchange of its own (PFS)", "s"),
}


def timers_page() -> str:
    """Return the page, one column a profile."""
    profiles = tuple(PROFILES.values())
    names = " | ".join(f"`{item.profile}`" for item in profiles)
    rows = [
        f"| {meaning} | {unit} | {' | '.join(_timer(item, name) for item in profiles)} |"
        for name, (meaning, unit) in _MEANINGS.items()
    ]
    return "\n".join(
        [_TIMERS_HEAD, f"| timer | unit | {names} |", f"|---|---|{'---|' * len(profiles)}", *rows, ""]
    )


def _timer(timers: Timers, name: str) -> str:
    bfd = {f"bfd_{profile.name}": profile for profile in timers.bfd}.get(name)
    if bfd is not None:
        return f"{bfd.interval_ms} × {bfd.multiplier} = {bfd.detection_ms}"
    value = attrgetter(name)(timers)
    return f"{value:.1f}" if isinstance(value, float) else str(value)


@click.command(
    help=("Write the reference of service and site files into FOLDER: a page, and JSON Schemas for editors."),
    epilog=examples("heiiki reference docs/reference"),
)
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def reference(folder: Path) -> None:
    """Write the reference of service and site files into FOLDER: a page, and JSON Schemas for editors."""
    folder.mkdir(parents=True, exist_ok=True)
    files = reference_files()
    foreign = [folder / name for name in files if not may_be_replaced(folder / name)]
    if foreign:
        raise click.UsageError(f"{foreign[0]} was not made by heiiki reference: name another folder")
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
        say(folder / name)
