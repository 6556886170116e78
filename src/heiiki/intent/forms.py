"""Forms of the values that a person writes: one rule for each kind of name, text, prefix and day.

Each form is as strict as whatever a value later becomes: a label of a host name (RFC 1123), a name in a
certificate, a group of the inventory, an APN (TS 23.003), an interface.
"""

import re
import unicodedata
from datetime import date, timedelta
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Never

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from heiiki.intent.numbers import EXPONENT

_LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_INVISIBLE = (
    r"\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    r"\u2060-\u206f\u2800\u3164\ufeff\uffa0\ufff0-\ufffb"
)
"""Control characters, separators of lines, marks that turn the direction of writing, invisible ones."""

NAME = r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$"
ROUTER_NAME = r"^[a-z][a-z0-9]{0,9}$"
TEXT = f"^[^{_INVISIBLE}]+$"
IMSI = r"^[0-9]{15}$"
PLMN = r"^[0-9]{5,6}$"
APN = rf"^{_LABEL}(\.{_LABEL})*$"
CIRCUIT = r"^[A-Za-z0-9][A-Za-z0-9./-]{0,31}$"
SUFFIX = rf"^(\.{_LABEL})*$"
INTERFACE = r"^[A-Za-z][A-Za-z0-9._-]{0,14}$"
USER = r"^[A-Za-z_][A-Za-z0-9._-]{0,31}$"
DEVICE = r"^[a-z][a-z0-9-]{0,62}$"
VAULT_HOST = r"^vault(-[a-z0-9]{1,12})?$"
DRAS_HOST = r"^dras(-[a-z0-9]{1,12})?$"
COUNTRY = r"^[A-Z]{2}$"
DAY = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"

_A_DAY = "a day, such as 2026-11-24"
_AN_APN = "labels of small letters, digits and inner `-`, such as dr.carrier.example"
FORMS = {
    NAME: "a small letter, then small letters, digits or single `_` between them, 16 at the most",
    ROUTER_NAME: "a small letter, then small letters or digits, 10 at the most",
    TEXT: "one line of visible characters",
    IMSI: "15 digits in quotes",
    PLMN: "5 or 6 digits in quotes",
    APN: f"{_AN_APN} (TS 23.003 9.1)",
    CIRCUIT: "letters, digits, `.`, `/` or `-`, 32 at the most",
    DEVICE: "the name of a device, such as umeda-gw-b",
    VAULT_HOST: "vault, or `vault-` with 12 small letters or digits at the most, such as vault-2",
    DRAS_HOST: "dras, or `dras-` with 12 small letters or digits at the most, such as dras-2",
    COUNTRY: "two capital letters of ISO 3166-1, such as JP",
    DAY: _A_DAY,
    SUFFIX: "a domain with a leading point, such as .mgmt.example, of labels up to 63 long (RFC 1123)",
    INTERFACE: "the name of an interface, such as mgmt0: 15 letters, digits, `.`, `_` or `-` at the most",
    USER: "a user's name: a letter or `_`, then letters, digits, `.`, `_` or `-`, 32 at the most",
}
"""What each pattern asks for, as human-readable text."""

_PREFIX = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){3}/(0|[1-9][0-9]?)")
_ADDRESS = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){3}")
_HOST_NAME = 253
_LONGEST_DEVICE = 21
"""A site's name and ``-ce-a``."""
_NOT_AT_THE_START = ("rac", "lac", "sgsn", "rnc")
PLANNED_INTERFACE = re.compile(
    r"lo|hub|second|sgi|lan0(-v)?|(wwan|radio|gtp)0|(access|line|tun|esp|gre|core|ac|ue)-.*|(ac|ln|ue|s)[0-9].*"
)
"""Names that the plan gives to interfaces."""
SLOWEST_KBPS, FASTEST_KBPS = 64, 10_000_000
_CLOCKS_DIFFER = timedelta(days=1)


def refused(what: str, fix: str) -> Never:
    """Raise the error of a value that its own check refuses; the message begins with the value."""
    raise PydanticCustomError("refused", "{what}", {"what": what, "fix": fix})


def invisible(text: str) -> str | None:
    """Return the first character of `text` that shows nothing, such as ``U+200B ZERO WIDTH SPACE``."""
    found = next((c for c in text if not re.match(TEXT, c) or unicodedata.category(c) == "Cf"), None)
    return f"U+{ord(found):04X} {unicodedata.name(found, 'control character')}" if found else None


def _visible(text: str) -> str:
    """Refuse the rest of what has no shape: beyond the plane that a portable pattern can name."""
    if found := invisible(text):
        refused(f"holds {found}, which is invisible", "leave it out")
    return text


def _as_written(value: object) -> object:
    """Refuse what `ipaddress` takes for a prefix though it is not written so: a number, a mask."""
    if not isinstance(value, IPv4Network) and not (isinstance(value, str) and _PREFIX.fullmatch(value)):
        raise ValueError("not a prefix")
    return value


def _as_address(value: object) -> object:
    """Refuse what `ipaddress` takes for an address though it is not written so: a number."""
    if not isinstance(value, IPv4Address) and not (isinstance(value, str) and _ADDRESS.fullmatch(value)):
        refused("is not an IPv4 address", "write an address such as 10.15.0.8")
    return value


def _with_exponent(value: object) -> object:
    return float(value) if isinstance(value, str) and EXPONENT.fullmatch(value) else value


def _network_identifier(apn: str) -> str:
    """Refuse what TS 23.003 9.1.1 keeps from the network identifier of an APN."""
    if apn.startswith(_NOT_AT_THE_START):
        refused(
            "begins as no APN may",
            f"take one without {', '.join(_NOT_AT_THE_START)} in front (TS 23.003 9.1.1)",
        )
    if apn == "gprs" or apn.endswith(".gprs"):
        refused(
            "ends as an operator's own suffix",
            "leave `.mnc….mcc….gprs` out: the network adds it (TS 23.003 9.1.1)",
        )
    return apn


def _other_interface(name: str) -> str:
    if PLANNED_INTERFACE.fullmatch(name):
        refused(
            "is a name of the closed networks' interfaces", "name the interface to the management network"
        )
    return name


def _kbps(value: int) -> int:
    """Question what is no line of the report's: most of them are megabits that were taken for kilobits."""
    if value < SLOWEST_KBPS:
        refused(
            "is less than any line carries that takes IPsec",
            f"write kilobits a second, {SLOWEST_KBPS} at least: 100 Mbit/s are 100000",
        )
    if value > FASTEST_KBPS:
        refused(
            "is more than any access line carries",
            f"write kilobits a second, {FASTEST_KBPS} at the most: 1 Gbit/s are 1000000",
        )
    return value


def _day(text: str) -> str:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        refused("is not a day of the calendar", f"write {_A_DAY}")
    if day > date.today() + _CLOCKS_DIFFER:  # noqa: DTZ011 - the day where the file is read
        refused("has not come yet", "write a day that has come")
    return text


Name = Annotated[str, Field(max_length=16, pattern=NAME)]
"""A name of a service, site or carrier; with ``-`` for ``_`` it is a label of a host name."""

RouterName = Annotated[str, Field(pattern=ROUTER_NAME)]
"""A name of a carrier's router; short, for it stands in the names of interfaces (15 characters in Linux)."""

Text = Annotated[
    str,
    StringConstraints(strip_whitespace=True),
    Field(min_length=1, max_length=80, pattern=TEXT),
    AfterValidator(_visible),
]
"""A line of text for people."""

Prefix = Annotated[IPv4Network, BeforeValidator(_as_written)]
"""An IPv4 prefix such as ``10.16.0.0/18``."""

Address = Annotated[IPv4Address, BeforeValidator(_as_address)]
"""An IPv4 address such as ``10.15.0.8``."""

Apn = Annotated[str, Field(max_length=62, pattern=APN), AfterValidator(_network_identifier)]
"""Network identifier of an APN: 63 octets at the most with the length of each label (TS 23.003 9.1)."""

HostSuffix = Annotated[str, Field(max_length=_HOST_NAME - _LONGEST_DEVICE, pattern=SUFFIX)]
"""Domain behind a device's name; both together are a host name (RFC 1123 2.1)."""

User = Annotated[str, Field(pattern=USER)]
"""A log-in name (POSIX.1 3.437)."""

Imsi = Annotated[str, Field(pattern=IMSI)]
Plmn = Annotated[str, Field(pattern=PLMN)]
Circuit = Annotated[str, Field(pattern=CIRCUIT)]
DeviceName = Annotated[str, Field(pattern=DEVICE)]
VaultHosts = tuple[Annotated[str, Field(pattern=VAULT_HOST)], ...]
"""Vault servers; no site may be called vault, so no other device has such a name."""
DrasHosts = tuple[Annotated[str, Field(pattern=DRAS_HOST)], ...]
"""Hosts of the VTN; no site may be called dras either."""
Country = Annotated[str, Field(pattern=COUNTRY)]
Day = Annotated[str, Field(pattern=DAY), AfterValidator(_day)]

Figure = Annotated[float, Field(ge=0, allow_inf_nan=False, strict=True), BeforeValidator(_with_exponent)]
"""A number, not below zero; ``2.6e5`` is one, though YAML 1.1 wants ``2.6e+5``."""

Mtbf = Annotated[
    float, Field(ge=1, le=1e7, allow_inf_nan=False, strict=True), BeforeValidator(_with_exponent)
]
"""Hours between failures; 10⁷ h are 1,141 years, which has not been observed of anything on a path."""

Mttr = Annotated[
    float, Field(ge=0.05, le=8760, allow_inf_nan=False, strict=True), BeforeValidator(_with_exponent)
]
"""Hours until repaired; no repair takes less than 3 minutes, and what needs a year is not repaired."""

PrivateAs = Annotated[int, Field(ge=64512, le=65534, strict=True)]
"""A private two-byte AS number (RFC 6996): routers on sites may know two bytes only."""

SiteNumber = Annotated[int, Field(ge=1, le=9999, strict=True)]
EvidenceDays = Annotated[int, Field(ge=1, le=366, strict=True)]
Yen = Annotated[int, Field(ge=0, strict=True)]
Mtu = Annotated[int, Field(ge=1280, le=9000, strict=True)]
"""Octets of the largest IP packet that a line takes whole; a smaller one carries no IKE with certificates."""

Kbps = Annotated[
    int,
    Field(strict=True, json_schema_extra={"minimum": SLOWEST_KBPS, "maximum": FASTEST_KBPS}),
    AfterValidator(_kbps),
]
"""How fast a line is, kilobits (10³ bit) a second."""

OtherInterface = Annotated[str, Field(pattern=INTERFACE), AfterValidator(_other_interface)]
"""An interface of a device that belongs to neither of the closed networks."""
