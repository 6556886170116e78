"""What the configuration of a VTN says of its REST API."""

from dataclasses import dataclass
from typing import Annotated


@dataclass(frozen=True, kw_only=True)
class EspSettings:
    """The system of an energy service provider.

    Attributes:
        name: whose events they are; permanent.
        certificate_name: the DNS or URI name in its certificate: who shows it is this ESP, and no one else.
        sites: which sites it may address; what it does not name is not there for it.
    """

    name: Annotated[str, r"[a-z][a-z0-9_]{0,31}"]
    certificate_name: str
    sites: Annotated[tuple[str, ...], 1]


@dataclass(frozen=True, kw_only=True)
class RestSettings:
    """The REST API: another socket of the VTN, with its address, its credentials and its book.

    Attributes:
        sites: venID of each site that some ESP may address, by the site's name.
        esps: who is served.
        requests_per_s, burst: how many requests each may send; those beyond are refused, not delayed.
        live_events: how many events of each may be live; every poll of a VEN carries its live events.
    """

    port: Annotated[int, range(65_536)]
    sites: dict[str, str]
    esps: Annotated[tuple[EspSettings, ...], 1]
    requests_per_s: Annotated[int, range(1, 1_001)] = 10
    burst: Annotated[int, range(1, 10_001)] = 30
    live_events: Annotated[int, range(1, 1_001)] = 100

    def __post_init__(self) -> None:
        """Refuse two ESPs of one name, and a site that no VEN stands at."""
        for names in ([one.name for one in self.esps], [one.certificate_name for one in self.esps]):
            if doubled := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"{', '.join(doubled)} is there twice")
        for one in self.esps:
            if unknown := sorted(set(one.sites) - self.sites.keys()):
                raise ValueError(f"{one.name}: {', '.join(unknown)}: no such site")

    def vens(self, esp: EspSettings) -> dict[str, str]:
        """Return the venID of each site that an ESP may address."""
        return {site: self.sites[site] for site in sorted(esp.sites)}
