"""Trust anchors: whom each IKE daemon believes, against the CAs that the service's Vault server has.

The daemon is asked, not its files: a certificate stays loaded after its file is gone, and a file that was not
compiled is loaded with the next reload. A certificate without the CA flag counts too, because a daemon
believes one that was loaded for its own sake.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.hashes import SHA256

from heiiki.design.associations import ipsec_devices, protected
from heiiki.errors import VaultError
from heiiki.plan.model import Device, Plan
from heiiki.requirements import Result, Verdict
from heiiki.requirements.verdict import Evidence
from heiiki.verify.fleet import Answer, Fleet, Looks, UnreadableError, reading
from heiiki.verify.ipsec.associations import configured
from heiiki.verify.verdicts import Keep, judged, summarise

CERTIFICATES = {"lists": {"certs": ["list-certs", "list-cert", {}]}}
LOOKS = Looks(most=3, every_s=2.0)
"""A daemon that is given other anchors forgets all and then loads all, and may be asked in between."""
NO_SERVER = "no Vault server is known here that could say which CAs the service has"

Authorities = Callable[[], Sequence[x509.Certificate]]
"""Asks the service's server for every CA of the service."""
_Known = Sequence[x509.Certificate] | str
"""The CAs of the service, or why they are not known."""

_CERTIFICATE, _LIST = "X509", "X509_CRL"


def subject(device: str) -> str:
    """Subject of the verdict on the trust anchors that a device's IKE daemon has loaded."""
    return f"trust anchors of {device}"


def verdicts(plan: Plan, fleet: Fleet, keep: Keep, authorities: Authorities | None) -> Iterator[Verdict]:
    """Yield a config verdict for each IKE daemon and requirement that its connections serve."""
    devices = ipsec_devices(plan)
    known = _known(authorities)
    asked = dict.fromkeys((device.name for device in devices), CERTIFICATES)
    answers = fleet.ask_until("vici", asked, partial(_differing, known), LOOKS)
    for device in devices:
        answer = answers[device.name]
        evidence = (keep(f"trust/anchors-{device.name}.json", answer.raw),)
        for identifier in protected(device):
            yield judged(
                device.name,
                partial(of_daemon, identifier, device, known, answer, evidence),
                partial(_unknown, identifier, device, evidence),
            )


def _differing(known: _Known, answers: Mapping[str, Answer]) -> list[str]:
    return [name for name, answer in answers.items() if _differs(known, answer)]


def _differs(known: _Known, answer: Answer) -> bool:
    """Tell whether a daemon's answer speaks against it; one that cannot be read is judged as it is."""
    if answer.error or isinstance(known, str):
        return False
    try:
        with reading(answer.device):
            return bool(problems(known, answer.data["certs"]))
    except UnreadableError:
        return False


def _known(authorities: Authorities | None) -> _Known:
    """Return the CAs of the service, or why they are not known."""
    if authorities is None:
        return NO_SERVER
    try:
        return tuple(authorities())
    except VaultError as error:
        return f"the CAs of the service are not known: {error}"


def _unknown(identifier: str, device: Device, evidence: tuple[Evidence, ...], why: str) -> Verdict:
    return configured(identifier, subject(device.name), Result.UNKNOWN, why, evidence)


def of_daemon(
    identifier: str,
    device: Device,
    known: _Known,
    answer: Answer,
    evidence: tuple[Evidence, ...],
) -> Verdict:
    """Return the verdict on what one daemon has loaded; `known`: the service's CAs, or why they are not."""
    if answer.error or isinstance(known, str):
        return _unknown(identifier, device, evidence, answer.error or str(known))
    loaded = answer.data["certs"]
    wrong = problems(known, loaded)
    if wrong:
        return configured(identifier, subject(device.name), Result.FAIL, summarise(wrong), evidence)
    count = sum(one["flag"] == "CA" for one in loaded if one["type"] == _CERTIFICATE)
    reason = f"{count} CAs are loaded, each of them of the service; every other certificate is signed by one"
    return configured(identifier, subject(device.name), Result.PASS, reason, evidence)


def problems(known: Sequence[x509.Certificate], loaded: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what a daemon believes that is not the service's, and which root of the service it lacks."""
    digests = {one.fingerprint(SHA256()) for one in known}
    wrong: list[str] = []
    there: set[bytes] = set()
    for one in loaded:
        data = bytes.fromhex(one["data"])
        if one["type"] == _CERTIFICATE:
            certificate = x509.load_der_x509_certificate(data)
            digest = certificate.fingerprint(SHA256())
            there.add(digest)
            if digest not in digests:
                wrong += _certificate_problems(known, certificate, one["flag"])
        elif one["type"] == _LIST:
            wrong += _list_problems(known, x509.load_der_x509_crl(data))
        else:
            wrong.append(f"a credential of type {one['type']} is loaded: certificates and CRLs only")
    lacking = [one for one in known if _is_root(one) and one.fingerprint(SHA256()) not in there]
    return wrong + [f"the root {_name(one)} is not loaded: run renew.yml" for one in lacking]


def _certificate_problems(
    known: Sequence[x509.Certificate], found: x509.Certificate, flag: str
) -> Iterator[str]:
    if flag != "NONE":
        yield f"{_name(found)} is loaded as a trust anchor ({flag}), and is no CA of the service"
    elif not any(_signed(authority, found) for authority in known):
        yield f"the certificate {_name(found)} is loaded, and no CA of the service signed it"


def _signed(authority: x509.Certificate, found: x509.Certificate) -> bool:
    try:
        found.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _list_problems(known: Sequence[x509.Certificate], found: x509.CertificateRevocationList) -> Iterator[str]:
    if found.issuer not in {one.subject for one in known}:
        yield f"a CRL of {found.issuer.rfc4514_string()} is loaded, which is no CA of the service"


def _is_root(certificate: x509.Certificate) -> bool:
    return certificate.subject == certificate.issuer


def _name(certificate: x509.Certificate) -> str:
    digest = certificate.fingerprint(SHA256()).hex()[:12]
    return f"{certificate.subject.rfc4514_string()} (SHA-256 {digest})"
