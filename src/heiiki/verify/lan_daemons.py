"""What both ends of a LAN that two certificates alone let into say: hostapd, wpa_supplicant and its guard."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from heiiki.design.site_lans import SiteLan
from heiiki.requirements import Result, Verdict
from heiiki.requirements.verdict import Evidence
from heiiki.verify.both_ends import Both
from heiiki.verify.fleet import told
from heiiki.verify.verdicts import live, summarise, unknown

Said = Mapping[str, Any]
_TLS = ("TLSv1.2", "TLSv1.3")


def judged(
    lan: SiteLan,
    both: Both,
    evidence: tuple[Evidence, ...],
    requirement: str,
    command: str,
    wrong: Callable[[Said, Said], Iterable[str]],
    passed: str,
) -> Verdict:
    """Return the verdict on a LAN.

    Args:
        lan: the LAN.
        both: answers of gateway and controller.
        evidence: both, as they came.
        requirement: of the verdict.
        command: whose output is what the daemon of either end says.
        wrong: yields what is wrong in what hostapd and wpa_supplicant say.
        passed: the reason where nothing is, with the version of TLS to be put in.
    """
    gateway, controller = both
    asked = ((gateway, command), (gateway, "credentials"), (controller, command), (controller, "guard"))
    said = [told(dict[str, Any], answer, name) for answer, name in asked]
    if silent := [one for one in said if isinstance(one, str)]:
        return unknown(requirement, lan.subject, summarise(silent), evidence)
    served, credentials, joined, guard = (one for one in said if not isinstance(one, str))
    found = list(wrong(served, joined))
    serial = credentials["certificate"]["serial"] if credentials["certificate"] else None
    if guard["serial"] != serial:
        found.append(f"the guard of {lan.controller.name} has not seen the certificate of {lan.gateway.name}")
    if found:
        return live(requirement, lan.subject, Result.FAIL, summarise(found), evidence)
    reason = passed.format(tls=joined["status"]["eap_tls_version"])
    return live(requirement, lan.subject, Result.PASS, reason, evidence)


def other_status(name: str, planned: Mapping[str, str | None], status: Said) -> Iterator[str]:
    """Yield what wpa_supplicant of a device says of itself that is not as planned, or not by a good TLS."""
    for key, value in planned.items():
        if status.get(key) != value:
            yield f"{name}: {key} is {status.get(key)}, not {value}"
    if status.get("eap_tls_version") not in _TLS:
        yield f"{name}: EAP-TLS by {status.get('eap_tls_version')}"
