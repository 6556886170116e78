"""`heiiki new`, and what it writes: a small commented one to edit, or a generated one of any size."""

import random
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import click
import yaml

from heiiki.cli.group import examples
from heiiki.cli.terminal import say

_LONGEST = 16
"""Characters of a service's name."""
_CONTROLLERS = ("bems", "erc")
_KINDS = ("battery", "heat_storage")
_CONTROLS = ("direct", "indirect")

_SERVICE = """\
# One service: what is common to all sites. `heiiki check` this folder after every change.
service: {name}
title: Demand response over two closed networks
timers: production              # the standby path is watched slowly (R-COST); laboratory: quick everywhere
# How devices are reached, and from where; {{kind: lab}} to try the service as a lab.
management: {{kind: ssh, user: operator, sources: [192.168.200.0/24]}}

hub:                            # the energy service provider: DRAS, XMPP server, a CE router to each carrier
  as_number: 64520
  bandwidth_kbps: 1000000       # of each line to a carrier, kbit/s of IP packets (R-FIT/rate)
sites_as_number: 64530          # one AS for all sites: they hear only the hub

addresses:                      # pools; a site's addresses follow from its number and never move
  hub_lan: 10.15.0.0/28
  site_lan: 10.16.0.0/14        # a /28 a site
  access_a: 10.80.0.0/16        # a /30 a site
  loopback_a: 10.96.0.0/18
  sim_b: 10.112.0.0/18
  tunnel_a: 10.144.0.0/16       # a /30 a site
  tunnel_b: 10.128.0.0/16       # a /30 a site

networks:                       # two independent closed networks of two carriers (R-DUAL)
  a:
    kind: ip_vpn
    carrier: alpha
    as_number: 64601
    infrastructure: 10.200.0.0/24
    routers:
{routers}
    links:
{links}
    hub_pe: pe1
    bandwidth_kbps: 100000      # of each access line; a site's `a:` may say another
{transit}
    tariff: {{monthly_yen: 980}}
  b:
    kind: lte_apn
    carrier: beta
    as_number: 64701
    infrastructure: 10.201.0.0/24
    plmn: "44010"
    tac: 1
    apn: dr.beta.example
    bandwidth_kbps: 10000       # of each bearer, towards the site
    bandwidth_up_kbps: 5000     # and from it
{transit}
    tariff: {{monthly_yen: 600, included_mb: 4000, yen_per_extra_mb: 0.2}}

{risks}
reliability:                    # as the suppliers state them; R-AVAIL is computed from these, each element
  ce_router: {{mtbf_h: 260000, mttr_h: 4}}
  lte_gateway: {{mtbf_h: 260000, mttr_h: 4}}
  ip_access: {{mtbf_h: 9000, mttr_h: 6}}
  ip_core: {{mtbf_h: 90000, mttr_h: 2}}
  lte_radio: {{mtbf_h: 4000, mttr_h: 4}}
  lte_core: {{mtbf_h: 40000, mttr_h: 2}}
  # lan_switch: {{mtbf_h: 500000, mttr_h: 4}}   # without it the LANs' switches do not count, as R-AVAIL says
"""

_NOBODY_LOOKED = """\
# What both networks share. R-DUAL is unknown until somebody has looked: ask both carriers for their routes,
# power and wholesale contracts, then write who looked, when and at what, and each thing that was found.
# risks:
#   examined: {by: Name, date: 2026-11-24, source: route documents of alpha and beta}
#   shared:
#     - {name: duct-3, kind: duct, elements: [a-pe1, b-edge]}
"""

_NO_WORD = """\
    # Who has the carrier's word that nothing of it crosses the Internet? R-CLOSED/carrier is unknown without.
    # transit: {by: Name, date: 2026-11-24, source: the carrier's letter}"""

_MADE_UP_WORD = """\
    transit: {by: heiiki new --sites, date: 2026-11-24, source: a made-up carrier}"""

_MADE_UP = """\
risks:
  examined: {by: heiiki new --sites, date: 2026-11-24, source: made-up networks that share nothing}
"""

_FIRST_SITE = """\
# One site: an order is a pull request that adds a file like this one.
number: 1                       # permanent; addresses and names follow from it
name: first
customer: The first customer
redundancy: networks_and_equipment   # figure 5.18 (b): a gateway on each; networks: one gateway on both
primary: a                      # the network that carries traffic while both are up
controller: bems                # or erc
resources:
  - {kind: battery, control: direct}
a: {access: ethernet, circuit: A-0001, pe: pe2}   # the carrier's number of the line, and where it ends
b: {sim: "440100000000001"}     # IMSI, in quotes
"""

_SITE = """\
number: {number}
name: {name}
customer: Customer {number}
redundancy: {redundancy}
primary: {primary}
controller: {controller}
resources: [{resources}]
a: {{access: ethernet, circuit: A-{number:05d}, pe: {pe}}}
b: {{sim: "44010{number:010d}"}}
"""


def template(name: str) -> dict[str, str]:
    """Return the files of a small commented service, by path."""
    return {"service.yml": _service(name, 2, _NOBODY_LOOKED, _NO_WORD), "sites/0001-first.yml": _FIRST_SITE}


def generate(name: str, sites: int, seed: int) -> dict[str, str]:
    """Return the files of a service of `sites` sites, all variants mixed; a seed always gives the same."""
    choice = random.Random(seed)  # noqa: S311 - test data
    edges = min(40, 2 + sites // 50)
    files = {"service.yml": _service(name, edges, _MADE_UP, _MADE_UP_WORD)}
    for number in range(1, sites + 1):
        site = f"site{number:04d}"
        files[f"sites/{number:04d}-{site}.yml"] = _site(choice, number, site, edges)
    return files


def _service(name: str, edges: int, risks: str, transit: str) -> str:
    """`edges` PE routers round two P routers."""
    routers = [
        *(("pe", "pe", index) for index in range(1, edges + 1)),
        *(("p", "p", index) for index in (1, 2)),
    ]
    return _SERVICE.format(
        name=_quoted(_as_name(name)),
        routers="\n".join(
            f"      - {{name: {kind}{index}, function: {function}, number: {index + 50 * (kind == 'p')}}}"
            for kind, function, index in routers
        ),
        links="\n".join(_links(edges)),
        risks=risks,
        transit=transit,
    )


def _links(edges: int) -> Iterator[str]:
    yield "      - {number: 1, between: [p1, p2]}"
    for index in range(1, edges + 1):
        yield f"      - {{number: {index + 1}, between: [pe{index}, p{1 + index % 2}]}}"


def _site(choice: random.Random, number: int, name: str, edges: int) -> str:
    primary = choice.choice("ab")
    # A battery under direct control moves gigabytes: over a metered primary it belongs on network A (R-FIT).
    kinds = choice.sample(_KINDS, choice.choice((1, 2)))
    controls = {kind: choice.choice(_CONTROLS) for kind in kinds}
    if controls.get("battery") == "direct":
        primary = "a"
    return _SITE.format(
        number=number,
        name=name,
        redundancy=choice.choice(("networks", "networks_and_equipment")),
        primary=primary,
        controller=choice.choice(_CONTROLLERS),
        resources=", ".join(f"{{kind: {kind}, control: {control}}}" for kind, control in controls.items()),
        pe=f"pe{choice.randint(2, edges)}",
    )


def _as_name(text: str) -> str:
    """Return the name of a service after that of its folder: letters, digits and single `_` between them."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    name = re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_")
    name = name if not name or name[0].isalpha() else f"s{name}"
    return name[:_LONGEST].rstrip("_") or "service"


def _quoted(name: str) -> str:
    """Return a name as YAML that every reader takes for text: `true`, `no` and `null` need quotes."""
    return name if yaml.safe_load(name) == name else f'"{name}"'


@click.command(
    help="Write a new service into FOLDER: small and commented, or generated with --sites.",
    epilog=examples("heiiki new inventories/osaka", "heiiki new /tmp/thousand --sites 1000 --seed 7"),
)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--sites", type=click.IntRange(1, 4000), help="Generate this many sites, all variants mixed.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same service.")
def new(folder: Path, sites: int | None, seed: int) -> None:
    """Write a new service into FOLDER: small and commented, or generated with --sites."""
    if folder.exists() and any(folder.iterdir()):
        raise click.UsageError(f"{folder} is not empty: name a new folder, nothing is overwritten")
    name = folder.resolve().name
    files = template(name) if sites is None else generate(name, sites, seed)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        # Of two at once one is refused: each file is made, never overwritten.
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
    say(f"{folder}: {len(files)} files; next: heiiki check {folder}")
