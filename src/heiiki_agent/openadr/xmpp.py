"""OpenADR 2.0b over XMPP (clause 9.3): a message is the one child of an iq, its answer stands in the result.

Both ends bind a resource of a fixed name, so each knows the other's full JID. The server reads the XML of an
iq and writes it again, with other prefixes: no XML signature (security level high) outlives that.
"""

import re
from xml.etree import ElementTree as ET

from heiiki_agent.openadr.messages import SERVICES
from heiiki_agent.openadr.names import OADR
from heiiki_agent.openadr.session import Discovery, Login, Served, Session, Sessions
from heiiki_agent.openadr.xmpp_settings import XmppSettings
from heiiki_agent.tls import Credentials
from heiiki_agent.xmpp.client import Place

PAYLOAD = f"{{{OADR}}}oadrPayload"
VTN_RESOURCE, VEN_RESOURCE = "vtn", "ven"
ANSWER_S = 5.0
"""How long an answer may take."""
DISCOVERY = Discovery(
    feature="http://openadr.org/openadr2",
    node="http://openadr.org/openadr2#services",
    items=tuple(f"http://openadr.org/OpenADR2/{service}" for service in SERVICES),
)
_DECLARATION = re.compile(r"^<\?xml[^>]*\?>\s*")


def sessions(settings: XmppSettings, resource: str, credentials: Credentials, served: Served) -> Sessions:
    """Return the sessions of an end, one for each server."""
    places = [Place(domain=settings.domain, address=one.address, port=one.port) for one in settings.servers]
    logins = [
        Login(place=place, jid=settings.jid, resource=resource, credentials=credentials) for place in places
    ]
    return Sessions(*(Session(login, served) for login in logins))


def written(message: bytes) -> str:
    """Return a message as it stands in an iq, which has no declaration of XML in it."""
    return _DECLARATION.sub("", message.decode())


def read(payload: ET.Element) -> bytes:
    """Return the bytes of a message that stood in an iq."""
    return ET.tostring(payload, encoding="unicode").encode()


def bare(jid: str) -> str:
    """Return a JID without its resource: who it is."""
    return jid.partition("/")[0]
