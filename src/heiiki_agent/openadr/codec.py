"""Messages from bytes and to bytes (OpenADR 2.0b: oadrPayload with one oadrSignedObject).

Bytes from the network meet no parser before they are known to be UTF-8 and free of declarations: an entity in
a DOCTYPE may grow without bound, or read a file, and libxml2 with a schema crashes on it.
"""

import re

from lxml import etree

from heiiki_agent.openadr.binding import Element, Model, read_element
from heiiki_agent.openadr.errors import Code, Malformed, NotXml, TooLarge
from heiiki_agent.openadr.messages import MESSAGES, Message
from heiiki_agent.openadr.names import DS, NAMESPACES, OADR, local, tag

LIMIT = 256 * 1024
"""Most bytes of a message: a day of minute values of a few data points."""

_DECLARATION = re.compile(rb"<!(?!--|\[CDATA\[)")
_VERSION = tag("ei:schemaVersion")
SIGNED_ID = "oadrSignedObject"
ID = f"{{{OADR}}}Id"


def parse(data: bytes, limit: int = LIMIT) -> Element:
    """Return the root element of a message.

    Raises:
        TooLarge: there are more bytes than `limit`.
        NotXml: it is no UTF-8, holds a DOCTYPE, or is not well-formed.
    """
    if len(data) > limit:
        raise TooLarge(f"a message has at most {limit} bytes, this has {len(data)}")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotXml("a message is UTF-8, and this is not") from error
    if _DECLARATION.search(data):
        raise NotXml("a message has no DOCTYPE or other declaration")
    parser = etree.XMLParser(
        encoding="utf-8",  # not what the text says of itself
        resolve_entities=False,
        no_network=True,
        remove_comments=True,
        remove_pis=True,
        huge_tree=False,
    )
    try:
        return etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise NotXml(f"is not well-formed XML: {error.msg}") from error


def signed_object(root: Element) -> Element:
    """Return the one oadrSignedObject of a message.

    Raises:
        Malformed: there is not exactly one, or something else beside it and its signature.
    """
    if root.tag != tag("oadr:oadrPayload"):
        raise Malformed("is not expected here; a message is an oadrPayload", local(str(root.tag)))
    names = [str(child.tag) for child in root]
    wanted = tag("oadr:oadrSignedObject")
    if names not in ([wanted], [f"{{{DS}}}Signature", wanted]):
        raise Malformed("has a ds:Signature at most, and one oadrSignedObject", "oadrPayload")
    return root[-1]


def message_of(signed: Element) -> Message:
    """Return the message in an oadrSignedObject.

    Raises:
        Malformed: it is not one of the messages, or not as its schema wants it; with the element.
    """
    if len(signed) != 1:
        raise Malformed("has exactly one message", "oadrSignedObject")
    name = local(str(signed[0].tag))
    if name not in MESSAGES or signed[0].tag != f"{{{OADR}}}{name}":
        raise Malformed("is not a message of OpenADR 2.0b", name, Code.NOT_RECOGNIZED)
    message: Message = read_element(Model(MESSAGES[name]), signed[0])
    return message


def decode(data: bytes, limit: int = LIMIT) -> Message:
    """Return the message that the bytes are; its signature, if there is one, is not looked at.

    Raises:
        Malformed: they are none.
    """
    return message_of(signed_object(parse(data, limit)))


def tree(message: Message) -> Element:
    """Return the oadrPayload of a message, without signature.

    Raises:
        ValueError: a value does not fit the schema.
    """
    payload = etree.Element(tag("oadr:oadrPayload"), nsmap=dict(NAMESPACES))
    signed = etree.SubElement(payload, tag("oadr:oadrSignedObject"))
    signed.set(ID, SIGNED_ID)
    body = etree.SubElement(signed, f"{{{OADR}}}{message.NAME}")
    body.set(_VERSION, "2.0b")
    Model(type(message)).write(message, body)
    # A SIM pays for every octet, and a poll would name seven namespaces that it does not use.
    etree.cleanup_namespaces(payload)
    return payload


def encode(message: Message) -> bytes:
    """Return the bytes of a message.

    Raises:
        ValueError: a value does not fit the schema.
    """
    return etree.tostring(tree(message), xml_declaration=True, encoding="utf-8")
