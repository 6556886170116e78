"""What each end says of itself, as its program writes it and others read it (`heiiki_agent.status`)."""

from dataclasses import dataclass

LOGGED_IN = "logged in"


@dataclass(frozen=True, kw_only=True)
class DoubledState:
    """One of the two hosts of a VTN, as it knows it.

    Attributes:
        host, peer: this host and the other one.
        writer: which of them is the writer; None: neither has been made it.
        epoch: since when, counted.
        counts: the standby has all that is answered.
        problem: what is not as it should be; None: all is well.
    """

    host: str
    peer: str
    writer: str | None
    epoch: int
    counts: bool
    problem: str | None


@dataclass(frozen=True, kw_only=True)
class VtnState:
    """One VTN.

    Attributes:
        problem: why it does not listen; None: it does.
        silent_s: how long ago each of its VENs was heard, seconds; None: not since the program began.
        xmpp: why it is logged in at no XMPP server, or `LOGGED_IN`; None: it does not speak XMPP.
        doubled: how it stands with its second host; None: it has none.
    """

    problem: str | None
    silent_s: dict[str, float | None]
    xmpp: str | None = None
    doubled: DoubledState | None = None


@dataclass(frozen=True, kw_only=True)
class VtnStatus:
    """The program of the VTNs of a host, by their vtnID."""

    pid: int
    due: float
    vtns: dict[str, VtnState]

    def silent_s(self, ven_id: str) -> float | None:
        """Return how long ago a VEN was heard by any of the VTNs, seconds; None if it was not."""
        ages = (one.silent_s.get(ven_id) for one in self.vtns.values())
        return min((age for age in ages if age is not None), default=None)


@dataclass(frozen=True, kw_only=True)
class VenStatus:
    """The program of a VEN.

    Attributes:
        ven_id: the name that its VTN gave it; None: it is not registered.
        problem: why its last exchange with VTN or resource failed; None: it did not.
        xmpp: why it is logged in at no XMPP server, or `LOGGED_IN`; None: it does not speak XMPP.
    """

    pid: int
    due: float
    ven_id: str | None
    problem: str | None
    xmpp: str | None = None
