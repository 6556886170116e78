"""After a snapshot was put back: what was revoked since is revoked again, before a verifier takes a list.

A snapshot is older than the server was. Devices that were revoked since have their rights back in it, their
certificates are good, and those that were made since are not known. Every verifier keeps its lists meanwhile:
the numbers of the restored server's are lower (RFC 5280 5.2.3), so that it takes none of them. So the numbers
are raised last, when the lists are whole.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509

from heiiki.errors import SnapshotError
from heiiki.pki import marks
from heiiki.pki.register import certificates, expired
from heiiki.pki.revoke import RevocationList, crls, issued, of_device, publish, revoke_device, revoked_since
from heiiki.pki.server.connection import Vault
from heiiki.pki.server.desired import serial_text
from heiiki.plan.model import Identity, Pki

_MOST_LISTS = 200_000
"""Lists that are generated to pass a number; at one each quarter of an hour, the lists of five years."""


@dataclass(frozen=True, slots=True)
class Known:
    """What must hold after a restore, whatever the snapshot says.

    Attributes:
        devices: those that are revoked.
        certificates: those that are revoked, PEM by serial number; empty where only the number is known.
        numbers: the greatest number of a list that was seen of each CA, by the identifier of its key.
    """

    devices: frozenset[str] = frozenset()
    certificates: Mapping[str, str] = field(default_factory=dict)
    numbers: Mapping[str, int] = field(default_factory=dict)

    def and_also(self, other: "Known") -> "Known":
        """Return what is known by both together."""
        named = {serial for one in (self, other) for serial in one.certificates}
        keys = {key for one in (self, other) for key in one.numbers}
        return Known(
            self.devices | other.devices,
            {s: self.certificates.get(s) or other.certificates.get(s, "") for s in sorted(named)},
            {key: max(self.numbers.get(key, -1), other.numbers.get(key, -1)) for key in sorted(keys)},
        )


def of_server(vault: Vault, trust: Pki) -> Known:
    """Return what the server knows; the session is that of AppRole auditor."""
    names = vault.names(f"{trust.issuing_mount}/roles")
    barred = zip(names, vault.each(lambda name: marks.is_marked(vault, trust, name), names), strict=True)
    revoked = certificates(vault, trust, list(revoked_since(vault, trust)))
    return Known(frozenset(name for name, there in barred if there), revoked, numbers(vault, trust))


def of_verifiers(statuses: Iterable[Mapping[str, Any]]) -> Known:
    """Return what the lists of verifiers say, of what they say of their credentials."""
    found = Known()
    for status in statuses:
        refused = dict.fromkeys(status.get("refused_serials") or (), "")
        seen = {one["authority_key"]: int(one["number"]) for one in status["crls"]}
        found = found.and_also(Known(frozenset(), refused, seen))
    return found


def numbers(vault: Vault, trust: Pki) -> dict[str, int]:
    """Return the number of the list of each CA, by the identifier of its key; needs no token."""
    return {_key(one): _number(one) for one in crls(vault, trust)}


def _key(one: RevocationList) -> str:
    bears = one.complete.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    return (bears.key_identifier or b"").hex()


def _number(one: RevocationList) -> int:
    return one.complete.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


def refuse_other_authorities(vault: Vault, trust: Pki, known: Known) -> None:
    """Refuse a snapshot from before a CA was made whose lists are in use; needs no token.

    Raises:
        SnapshotError: the server has not got that CA's key.
    """
    if lost := sorted(known.numbers.keys() - numbers(vault, trust).keys()):
        raise SnapshotError(
            f"verifiers have lists of a CA that the snapshot does not know (key {', '.join(lost)}): it was "
            "taken before that CA was made, whose lists can be signed no more. Restore a snapshot taken "
            "after the rotation; if there is none, replace the root (rotate.yml) before the lists end"
        )


def bar_again(auditor: Vault, revoker: Vault, trust: Pki, devices: Iterable[str]) -> list[str]:
    """Mark devices that are revoked; returns those that were not.

    Args:
        auditor: a session of that AppRole.
        revoker: the same.
        trust: the service's.
        devices: their names.
    """
    missing = [name for name in sorted(devices) if not marks.is_marked(auditor, trust, name)]
    for name in missing:
        marks.mark(revoker, trust, name)
    return [f"mark of {name}" for name in missing]


def revoke_again(vault: Vault, trust: Pki, known: Known, barred: Iterable[Identity]) -> list[str]:
    """Revoke what was revoked, and every certificate of devices that are; returns the serial numbers.

    One that the server does not know, made since the snapshot, is given to it whole. No list is generated:
    that one is whole must be known first.

    Args:
        vault: a session of AppRole revoker.
        trust: the service's.
        known: what was revoked.
        barred: devices that are revoked.

    Raises:
        SnapshotError: a certificate is known by its number alone, which does not suffice.
    """
    every, authorities = issued(vault, trust), {_key(one) for one in crls(vault, trust)}
    there = {one.serial for one in every}
    wanted = {
        **{serial: pem for serial, pem in known.certificates.items() if _is_believed(pem, authorities)},
        **{one.serial: "" for identity in barred for one in of_device(every, identity)},
    }
    lost, done = [], sorted(wanted.keys() - revoked_since(vault, trust).keys())
    for serial in done:
        if serial in there:
            vault.write(f"{trust.issuing_mount}/revoke", {"serial_number": serial})
        elif pem := wanted[serial]:
            vault.write(f"{trust.issuing_mount}/revoke", {"certificate": pem})
        else:
            lost.append(serial)
    if lost:
        raise SnapshotError(
            f"verifiers refuse {', '.join(lost)}, which the snapshot does not know and of which no "
            "certificate is kept here: get the state of the controller that revoked them, or restore a newer "
            "snapshot; if there is neither, replace the issuing CA (rotate.yml). Verifiers go on with the "
            "lists that they have until then"
        )
    return [f"certificate {serial}" for serial in done]


def _is_believed(pem: str, authorities: Collection[str]) -> bool:
    """Tell whether a certificate would be accepted if it were not revoked; one without text may be."""
    return not pem or (not expired(pem) and _signed_by(pem) in authorities)


def serial_of(pem: str, identity: Identity) -> str:
    """Return the serial number of a device's certificate; empty where it is none, or another's.

    A device must not have another's certificate revoked by showing that.
    """
    try:
        found = x509.load_pem_x509_certificate(pem.encode())
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return ""
    bears = set(names.get_values_for_type(x509.DNSName))
    return serial_text(found.serial_number) if bears and bears <= set(identity.dns) else ""


def _signed_by(pem: str) -> str:
    found = x509.load_pem_x509_certificate(pem.encode()).extensions
    bears = found.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    return (bears.key_identifier or b"").hex()


def outnumber(revoker: Vault, configurator: Vault, trust: Pki, known: Known) -> list[str]:
    """Generate lists until the number of each is greater than every one that was seen of its CA.

    Args:
        revoker: a session of AppRole revoker, for the lists of the issuing CAs.
        configurator: a session of AppRole configurator, for those of the roots.
        trust: the service's.
        known: the numbers that were seen.

    Raises:
        SnapshotError: a number is such that no list of ours can have had it, or the server's do not grow.
    """
    publish(revoker, trust)
    for vault, mount, of_root in (
        (revoker, trust.issuing_mount, False),
        (configurator, trust.root_mount, True),
    ):
        for _ in range(_short(revoker, trust, known, of_root=of_root)):
            vault.read(f"{mount}/crl/rotate")
    stand = numbers(revoker, trust)
    if behind := {key: one for key, one in stand.items() if one <= known.numbers.get(key, -1)}:
        raise SnapshotError(
            f"the server's lists keep numbers that were used already: {behind}; run this again"
        )
    return [f"number {number} of the list of {key}" for key, number in sorted(stand.items())]


def _short(vault: Vault, trust: Pki, known: Known, *, of_root: bool) -> int:
    """Return how many lists an engine must generate to have passed every number that was seen."""
    mine = [one for one in crls(vault, trust) if (one.issuer.issuer == one.issuer.subject) is of_root]
    short = max((known.numbers.get(_key(one), -1) + 1 - _number(one) for one in mine), default=0)
    if short > _MOST_LISTS:
        raise SnapshotError(
            f"a verifier has a list whose number is {short} above the server's, more than were ever made: "
            "see who signed it; a CA whose key is in other hands must be replaced (rotate.yml)"
        )
    return short


def still_refused(
    vault: Vault, enroller: Vault, trust: Pki, known: Known, barred: Collection[Identity]
) -> tuple[str, ...]:
    """Try that nothing which was revoked is good; returns the serial numbers that verifiers must refuse.

    Each device that is revoked is given a token, and asks for a signature.

    Args:
        vault: a session of AppRole revoker.
        enroller: one of AppRole enroller.
        trust: the service's.
        known: what was revoked.
        barred: devices that are revoked.

    Raises:
        SnapshotError: something is good.
    """
    good = [f"{one.device} was signed for" for one in barred if marks.signs(enroller, trust, one)]
    since = revoked_since(vault, trust)
    wanted = {
        serial for serial, pem in known.certificates.items() if serial in since and not (pem and expired(pem))
    }
    for identity in barred:
        wanted |= set(revoke_device(vault, trust, identity).serials)
    listed = set(_listed(crls(vault, trust)))
    good += [f"{serial} is on no list" for serial in sorted(wanted - listed)]
    if good:
        raise SnapshotError(f"what was revoked is not refused: {'; '.join(good)}; run this again")
    return tuple(sorted(wanted))


def _listed(found: Iterable[RevocationList]) -> Iterator[str]:
    for one in found:
        for revoked in (*one.complete, *(one.delta or ())):
            yield serial_text(revoked.serial_number)
