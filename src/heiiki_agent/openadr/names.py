"""XML namespaces of OpenADR 2.0b (schema oadr_20b.xsd and what it imports)."""

from collections.abc import Mapping

OADR = "http://openadr.org/oadr-2.0b/2012/07"
DS = "http://www.w3.org/2000/09/xmldsig#"
DSP = "http://openadr.org/oadr-2.0b/2012/07/xmldsig-properties"

NAMESPACES: Mapping[str, str] = {
    "oadr": OADR,
    "ei": "http://docs.oasis-open.org/ns/energyinterop/201110",
    "pyld": "http://docs.oasis-open.org/ns/energyinterop/201110/payloads",
    "xcal": "urn:ietf:params:xml:ns:icalendar-2.0",
    "strm": "urn:ietf:params:xml:ns:icalendar-2.0:stream",
    "emix": "http://docs.oasis-open.org/ns/emix/2011/06",
    "power": "http://docs.oasis-open.org/ns/emix/2011/06/power",
    "scale": "http://docs.oasis-open.org/ns/emix/2011/06/siscale",
}


def tag(name: str) -> str:
    """Return `prefix:local` as lxml writes it: `{namespace}local`.

    Raises:
        KeyError: the prefix is none of ours.
    """
    prefix, _, local = name.partition(":")
    return f"{{{NAMESPACES[prefix]}}}{local}"


def local(qualified: str) -> str:
    """Return the local name of `{namespace}local`."""
    return qualified.rpartition("}")[2]
