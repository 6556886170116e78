"""Algorithms of IKEv2 and ESP, as strongSwan words them, with what the RFCs say of each.

Only what an RFC asks for or leaves free and nothing deprecates is allowed; a proposal with any other word
fails. `status` is that of RFC 8247 (IKEv2) or RFC 8221 (ESP); later RFCs where those are silent.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Algorithm:
    """One algorithm.

    Attributes:
        kind: ``encryption``, ``prf`` or ``group``.
        daemon: its name where the IKE daemon lists what it uses.
        bits: length of the key, for encryption; 0: not told.
        status: requirement level.
        source: where that is written.
    """

    kind: str
    daemon: str
    bits: int
    status: str
    source: str


IKE: dict[str, Algorithm] = {
    "aes256gcm16": Algorithm("encryption", "AES_GCM_16", 256, "SHOULD", "RFC 8247 2.1"),
    "aes128gcm16": Algorithm("encryption", "AES_GCM_16", 128, "SHOULD", "RFC 8247 2.1"),
    "chacha20poly1305": Algorithm("encryption", "CHACHA20_POLY1305", 0, "SHOULD", "RFC 8247 2.1"),
    "prfsha256": Algorithm("prf", "PRF_HMAC_SHA2_256", 0, "MUST", "RFC 8247 2.2"),
    "prfsha384": Algorithm("prf", "PRF_HMAC_SHA2_384", 0, "MAY", "RFC 4868; not restricted by RFC 8247"),
    "prfsha512": Algorithm("prf", "PRF_HMAC_SHA2_512", 0, "SHOULD+", "RFC 8247 2.2"),
    "ecp256": Algorithm("group", "ECP_256", 0, "SHOULD", "RFC 8247 2.4"),
    "ecp384": Algorithm("group", "ECP_384", 0, "MAY", "RFC 5903; not restricted by RFC 8247"),
    "ecp521": Algorithm("group", "ECP_521", 0, "MAY", "RFC 5903; not restricted by RFC 8247"),
    "x25519": Algorithm("group", "CURVE_25519", 0, "MAY", "RFC 8031; not restricted by RFC 8247"),
}
"""Allowed in IKE."""

ESP: dict[str, Algorithm] = {
    "aes256gcm16": Algorithm("encryption", "AES_GCM_16", 256, "MUST", "RFC 8221 5"),
    "aes128gcm16": Algorithm("encryption", "AES_GCM_16", 128, "MUST", "RFC 8221 5"),
    "chacha20poly1305": Algorithm("encryption", "CHACHA20_POLY1305", 0, "SHOULD", "RFC 8221 5"),
    **{word: item for word, item in IKE.items() if item.kind == "group"},
}
"""Allowed in ESP; a group is perfect forward secrecy (RFC 7296 1.3.1)."""

_COMPLETE = {"IKE": ("encryption", "prf", "group"), "ESP": ("encryption", "group")}


def proposals(text: str) -> tuple[tuple[str, ...], ...]:
    """Return the words of each proposal in a list with commas between."""
    return tuple(tuple(item.strip().split("-")) for item in text.split(",") if item.strip())


def objections(protocol: str, text: str) -> list[str]:
    """Return what speaks against a list of proposals of ``IKE`` or ``ESP``."""
    known = IKE if protocol == "IKE" else ESP
    wrong = [] if proposals(text) else [f"{protocol}: nothing is proposed, so the daemon's defaults hold"]
    for words in proposals(text):
        name = f"{protocol} {'-'.join(words)}"
        wrong += [f"{name}: {word} is not allowed" for word in words if word not in known]
        kinds = {known[word].kind for word in words if word in known}
        wrong += [f"{name}: has no {kind}" for kind in _COMPLETE[protocol] if kind not in kinds]
    return wrong


def beyond(protocol: str, text: str, shown: str) -> list[str]:
    """Return the proposals that a daemon shows as its own (``IKE:A/B/C, IKE:...``) and `text` does not name.

    Args:
        protocol: ``IKE`` or ``ESP``.
        text: the proposals that the daemon is to have, in the words of its file.
        shown: what it logs when it refuses another's; extended sequence numbers are no algorithm.
    """
    known = IKE if protocol == "IKE" else ESP
    allowed = {frozenset(_shown(known[word]) for word in words if word in known) for words in proposals(text)}
    items = [item.strip() for item in shown.split(",")]
    return [
        item
        for item in items
        if frozenset(item.removeprefix(f"{protocol}:").split("/")) - {"NO_EXT_SEQ"} not in allowed
    ]


def _shown(one: Algorithm) -> str:
    return f"{one.daemon}_{one.bits}" if one.bits else one.daemon


def negotiated(protocol: str, text: str) -> tuple[frozenset[tuple[str, str, int]], ...]:
    """Return, for each proposal, what the daemon shows when it was chosen: kind, name and key length."""
    known = IKE if protocol == "IKE" else ESP
    return tuple(
        frozenset((known[word].kind, known[word].daemon, known[word].bits) for word in words if word in known)
        for words in proposals(text)
    )
