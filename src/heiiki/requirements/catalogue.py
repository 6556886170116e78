"""The catalogue of requirements, each with its clause and the stages that this release examines."""

from dataclasses import dataclass

from heiiki.requirements.stage import Stage

_D, _C, _L = Stage.DESIGN, Stage.CONFIG, Stage.LIVE


@dataclass(frozen=True, slots=True)
class Requirement:
    """One requirement.

    Attributes:
        id: the ID used in verdicts and documents; ``R-THEFT/drill`` is a part of ``R-THEFT``.
        clause: where TR-1072 asks for it.
        title: the requirement in one sentence.
        stages: where this release examines it; an examined stage without a verdict is *unknown*.
    """

    id: str
    clause: str
    title: str
    stages: tuple[Stage, ...]


REQUIREMENTS: tuple[Requirement, ...] = (
    Requirement("R-AVAIL", "TR-1072 5.3.1", "Unavailability at most 2×10⁻⁵, DRAS to BEMS/ERC", (_D,)),
    Requirement("R-DELAY", "TR-1072 5.3.1", "Transfer delay at most 2 s", (_L,)),
    Requirement("R-DELAY/load", "TR-1072 5.3.1", "The same while a line is full", (_D, _C, _L)),
    Requirement(
        "R-DELAY/messages",
        "TR-1072 5.3.1, tables 5.5 to 5.8",
        "Each kind of message arrives within the delay that its table allows",
        (_L,),
    ),
    Requirement("R-GAP", "TR-1072 5.3.1", "Interruption of information at most 2 s", (_D, _C, _L)),
    Requirement("R-DUAL", "TR-1072 5.3.1, 7.1", "Two independent closed networks", (_D, _C, _L)),
    Requirement(
        "R-DUAL/outage",
        "TR-1072 5.3.1, 7.1",
        "Each network alone, for longer than its timers: service, lists, renewals",
        (_L,),
    ),
    Requirement("R-SCALE", "TR-1072 5.3.1", "Up to 1,000 BEMS/ERC on one DRAS: their number", (_D,)),
    Requirement(
        "R-SCALE/load",
        "TR-1072 5.3.1",
        "DRAS, XMPP server, hub routers and Vault server under the load of all sites",
        (),
    ),
    Requirement("R-COST", "TR-1072 5.3.1", "At most 1,000 yen a month for a line", (_D,)),
    Requirement(
        "R-COST/volume",
        "TR-1072 5.3.1, tables 5.5 to 5.8",
        "No more crosses a line than what its bill was counted from",
        (_L,),
    ),
    Requirement(
        "R-COST/messages",
        "TR-1072 5.3.1, tables 5.5 to 5.8",
        "No message takes more of a line than what its bill was counted from, each kind by itself",
        (_L,),
    ),
    Requirement(
        "R-CLOSED",
        "TR-1072 7.1",
        "Closed networks only: their kinds, what leaves our hosts, management",
        (_D, _L),
    ),
    Requirement(
        "R-CLOSED/carrier",
        "TR-1072 7.1",
        "No transit over the Internet inside of the carriers' networks: the carriers' word",
        (_D,),
    ),
    Requirement("R-FIT", "TR-1072 7.2, 7.3", "The access suits the volume of the controlled resource", (_D,)),
    Requirement(
        "R-FIT/size", "TR-1072 7.2, 7.3", "The largest packet of a tunnel crosses its path whole", (_D, _L)
    ),
    Requirement(
        "R-FIT/rate",
        "TR-1072 7.2, 7.3",
        "Each line carries what is planned on it, and supervision beside",
        (_D,),
    ),
    Requirement(
        "R-EVENT",
        "TR-1072 5.2, IEC 62746-10-1",
        "Every site's controller is registered at the DRAS and heard there, so that an event reaches it",
        (_C, _L),
    ),
    Requirement(
        "R-EVENT/books",
        "TR-1072 5.1, 5.2, IEC 62746-10-1, IEC 61850",
        "No event, opt, order or report is lost or doubled while elements fail",
        (_L,),
    ),
    Requirement(
        "R-EVENT/control",
        "TR-1072 5.1, 5.2, IEC 61850",
        "An order of direct control reaches the resource and is done once, and its result comes back",
        (_C, _L),
    ),
    Requirement(
        "R-EVENT/standby",
        "TR-1072 5.2",
        "Of two hosts of the VTN one writes, and the other one has all that it has answered",
        (_L,),
    ),
    Requirement("R-ISO-GROUP", "TR-1072 4.4", "XMPP server and DRAS form one closed group", (_C, _L)),
    Requirement("R-ISO-CARRIER", "TR-1072 4.4", "No entry from the carrier network", (_C, _L)),
    Requirement("R-ISO-SITE", "TR-1072 4.4", "No customer reaches another, no gateway another", (_D, _C, _L)),
    Requirement(
        "R-ISO-SITE/xmpp",
        "TR-1072 4.4",
        "No device reaches another through the XMPP server: by message, presence or iq",
        (_C, _L),
    ),
    Requirement(
        "R-ISO-MALICE",
        "TR-1072 4.4",
        "The carrier survives malicious packets from a site: spoofed sources",
        (_D, _C, _L),
    ),
    Requirement(
        "R-ISO-MALICE/flood", "TR-1072 4.4", "The sites keep their service while one site floods", (_D, _L)
    ),
    Requirement(
        "R-ISO-MALICE/control",
        "TR-1072 4.4",
        "Messages of routing, IKE and GTP from a site reach no speaker that is not its own; routing by key",
        (_D, _C, _L),
    ),
    Requirement(
        "R-ISO-MALICE/scan",
        "TR-1072 4.4",
        "A port scan from a site finds planned services alone, at the hub and at the carrier's first router",
        (_L,),
    ),
    Requirement(
        "R-ISO-MALICE/layer-2",
        "TR-1072 4.4",
        "A host on a LAN cannot take the place of gateway or neighbour (ARP, VRRP)",
        (_D, _C, _L),
    ),
    Requirement(
        "R-ISO-MALICE/port",
        "TR-1072 4.4",
        "A port of a LAN's switch lets in its own device alone (802.1X, port security)",
        (),
    ),
    Requirement(
        "R-SEC-ACCESS",
        "TR-1072 4.4",
        "Access encrypted and authenticated: by IPsec on IP access, by the SIM on mobile, IPsec inside",
        (_D, _C, _L),
    ),
    Requirement(
        "R-SEC-ACCESS/time",
        "TR-1072 4.4",
        "Each clock by which certificates, lists and signatures are judged is right to a second",
        (_D, _C, _L),
    ),
    Requirement(
        "R-SEC-ACCESS/line",
        "TR-1072 4.4, 6",
        "An optical line lets in its own router alone, once, with the address of the plan (PPPoE, RADIUS)",
        (_D, _C, _L),
    ),
    Requirement(
        "R-SEC-ACCESS/xmpp",
        "TR-1072 5.2, IEC 62351",
        "The XMPP server lets in who holds a good certificate alone, under the name in it",
        (_C, _L),
    ),
    Requirement(
        "R-SEC-ACCESS/mms",
        "TR-1072 5.2, IEC 62351",
        "A controller lets in DRAS alone by MMS, with a good certificate over TLS",
        (_C, _L),
    ),
    Requirement(
        "R-SEC-ACCESS/rest",
        "TR-1072 8.3",
        "The REST API of DRAS lets in energy service providers alone, each for its own sites",
        (_C, _L),
    ),
    Requirement(
        "R-SEC-ACCESS/enrolment",
        "TR-1072 4.4, IEC 62351",
        "A device enrols by a protocol in its own name alone, by a secret once or its present certificate",
        (_D, _C, _L),
    ),
    Requirement("R-SEC-ACCESS/air", "TR-1072 4.4", "The radio itself is ciphered", ()),
    Requirement(
        "R-SEC-ESP", "TR-1072 4.4", "IPsec between the energy service provider and the carrier", (_D, _C, _L)
    ),
    Requirement("R-SEC-CORE", "TR-1072 4.4", "The carrier's core is a managed data link", ()),
    Requirement(
        "R-SEC-LAN", "TR-1072 4.4", "Mutual authentication and encryption between GW and BEMS/ERC", ()
    ),
    Requirement(
        "R-SEC-LAN/wifi",
        "TR-1072 4.4",
        "On a wireless LAN gateway and BEMS/ERC let in each other alone, by certificate; nothing is in clear",
        (_D, _C, _L),
    ),
    Requirement(
        "R-SEC-LAN/wired",
        "TR-1072 4.4",
        "On a wired LAN with IEEE 802.1X the ports of both ends are shut but to each other, by certificate",
        (_D, _C, _L),
    ),
    Requirement(
        "R-SEC-LAN/data",
        "TR-1072 4.4",
        "On a wired LAN, whose frames are not encrypted, the data of the service is TLS from end to end",
        (_L,),
    ),
    Requirement("R-MINIMAL", "TR-1072 4.4", "No equipment and no service beyond the need", (_L,)),
    Requirement("R-MINIMAL/patches", "TR-1072 4.4", "Patches are applied", ()),
    Requirement(
        "R-THEFT",
        "TR-1072 4.4",
        "A stolen gateway or SIM is barred: certificate revoked, SIM barred",
        (_D, _C, _L),
    ),
    Requirement(
        "R-THEFT/supervision",
        "TR-1072 4.4",
        "A gateway that falls silent is named within minutes, with the step that bars it",
        (_L,),
    ),
    Requirement(
        "R-THEFT/drill",
        "TR-1072 4.4",
        "From revocation to replacement, as practised by the people in charge",
        (_L,),
    ),
)
"""In the order of every output. An id with ``/`` is a part of the requirement before it, which that one's
verdicts do not show. A part without stages is not examined in this release, and the matrix says so."""

_BY_ID = {item.id: item for item in REQUIREMENTS}


def requirement(identifier: str) -> Requirement:
    """Return the requirement called `identifier`.

    Raises:
        KeyError: the catalogue has no such requirement.
    """
    return _BY_ID[identifier]


def clause_of(identifier: str) -> str:
    """Return the clause of a requirement; empty when the catalogue has no such requirement."""
    found = _BY_ID.get(identifier)
    return found.clause if found is not None else ""
