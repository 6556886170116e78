"""What the configuration of a VTN holds."""

from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated

from heiiki_agent.openadr.envelope import Security
from heiiki_agent.openadr.rest.settings import RestSettings
from heiiki_agent.openadr.vtn.context import Identity
from heiiki_agent.openadr.vtn.doubled.settings import DoubledSettings
from heiiki_agent.openadr.xmpp_settings import Jid, XmppSettings, unsigned
from heiiki_agent.tls import Credentials

Seconds = Annotated[int, range(1, 86_401)]


@dataclass(frozen=True, kw_only=True)
class VenSettings:
    """A VEN.

    Attributes:
        ven_id: its name in messages.
        certificate_name: the DNS or URI name in its certificate: who shows it is this VEN, and no one else.
        jid: the same for XMPP; None: it is not spoken to over XMPP.
    """

    ven_id: str
    certificate_name: str
    jid: Jid | None = None


@dataclass(frozen=True, kw_only=True)
class VtnSettings:
    """A VTN: one ESP, with a socket, a state and VENs of its own.

    Attributes:
        vtn_id: its name in messages, without lower-case letters, which some VENs refuse.
        keep_days: for how long reports are kept; 1,000 VENs that report each minute write about 3 GB a day.
        rest: its REST API; None: it has none.
        security: ``high``: each message is signed, and one without a signature refused.
        xmpp: by what it reaches VENs at once; None: they poll.
        doubled: its second host; None: it has none.
    """

    vtn_id: Annotated[str, r"[A-Z0-9][A-Z0-9_.-]{0,63}"]
    address: Annotated[str, IPv4Address]
    port: Annotated[int, range(65_536)]
    database: Path
    credentials: Credentials
    vens: Annotated[tuple[VenSettings, ...], 1]
    poll_every_s: Seconds = 10
    report_every_s: Seconds = 60
    granularity_s: Seconds = 60
    keep_days: Annotated[int, range(1, 3651)] = 30
    rest: RestSettings | None = None
    security: Security = "standard"
    xmpp: XmppSettings | None = None
    doubled: DoubledSettings | None = None

    def __post_init__(self) -> None:
        """Refuse two VENs of one name, a site without a VEN, and signatures or a second host with XMPP."""
        unsigned(self.security, self.xmpp)
        if self.doubled and self.xmpp:
            raise ValueError("doubled: VENs know one JID of a VTN; leave out xmpp")
        jids = [one.jid for one in self.vens if one.jid is not None]
        for names in ([one.ven_id for one in self.vens], [one.certificate_name for one in self.vens], jids):
            doubled = sorted({name for name in names if names.count(name) > 1})
            if doubled:
                raise ValueError(f"{', '.join(doubled)} is there twice")
        at_sites = self.rest.sites.values() if self.rest else ()
        if unknown := sorted(set(at_sites) - {one.ven_id for one in self.vens}):
            raise ValueError(f"rest.sites: {', '.join(unknown)}: no such VEN")

    @property
    def identity(self) -> Identity:
        """Who it is and whom it serves."""
        return Identity(
            vtn_id=self.vtn_id,
            vens={one.certificate_name: one.ven_id for one in self.vens},
            poll_every=timedelta(seconds=self.poll_every_s),
            report_every=timedelta(seconds=self.report_every_s),
            granularity=timedelta(seconds=self.granularity_s),
            transports=("simpleHttp", "xmpp") if self.xmpp else ("simpleHttp",),
        )


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The configuration, parsed.

    Attributes:
        control: socket of the operator, for root alone.
        vtns: one for each ESP.
        status: file that says how it is; None: there is none.
    """

    control: Path
    vtns: Annotated[tuple[VtnSettings, ...], 1]
    status: Path | None = None

    def __post_init__(self) -> None:
        """Refuse two VTNs that share something."""
        for what in ("vtn_id", "database"):
            values = [getattr(one, what) for one in self.vtns]
            if len(set(values)) < len(values):
                raise ValueError(f"two VTNs have the same {what}")
