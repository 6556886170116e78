# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a device needs a certificate, what a diff shows of it, and what is repaired without a server.

Standard library only.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.heiiki.network.plugins.module_utils.device_certificate import (
    DeviceError,
    Program,
    anchors_differ,
    reasons,
    shown,
    sorted_names,
)

REACH_S = 240
"""Within which a device that was handed its certificate must find a way to the server."""
LATE = 0.5
"""Share of the time between renewal and end that must be left, else the renewal is late."""


def has_margin(status: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Tell whether nothing but age asks for a new certificate, and that less than late."""
    late = 1 - (1 - wanted["renew_share"]) * LATE
    return not any(reasons(status, {**wanted, "renew_share": late}))


def lines(certificate: Mapping[str, Any] | None) -> str:
    """Return what a diff shows of a certificate."""
    if certificate is None:
        return ""
    rows = [
        ("serial", certificate["serial"]),
        ("issuer", certificate["issuer"]),
        ("not before", certificate["not_before"]),
        ("not after", certificate["not_after"]),
        *((kind, name) for kind, values in certificate["names"].items() for name in values),
    ]
    return "".join(f"{key}: {value}\n" for key, value in rows)


def expected(wanted: Mapping[str, Any]) -> str:
    """Return what a diff shows of a certificate that is still to come."""
    rows = [(kind, name) for kind, values in sorted_names(wanted["names"]).items() for name in values]
    return "serial: (a new one)\n" + "".join(f"{key}: {value}\n" for key, value in rows)


def diff(device: str, before: str, after: str) -> list[dict[str, str]]:
    """Return an entry for Ansible's diff, none when nothing differs."""
    header = f"certificate of {device}"
    if before == after:
        return []
    return [{"before": before, "after": after, "before_header": header, "after_header": header}]


def check_names(status: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Refuse a device that was not told its names yet; DeviceError says what to do."""
    if status["wanted"] != sorted_names(wanted["names"]):
        raise DeviceError(
            f"the plan's names are {shown(wanted['names'])}, the device's configuration says "
            f"{shown(status['wanted'])}: apply the device's build first (heiiki.network.linux_node)"
        )


def assess(program: Program, wanted: Mapping[str, Any], *, check: bool) -> dict[str, Any]:
    """Say whether a certificate is needed; make key and request when asked to, mend what needs no server."""
    status = program("status")
    found = list(reasons(status, wanted))
    certificate = status["certificate"]
    answer = {"changed": False, "reasons": found, "certificate": certificate, "reloaded": []}
    answer["margin"] = has_margin(status, wanted)
    if found:
        to_come = expected(wanted)
        answer |= {"changed": check, "diff": diff(wanted["device"], lines(certificate), to_come)}
        if wanted["request"] and not check:
            check_names(status, wanted)
            if not wanted["handed"]:
                # First: a device that finds no way to the server keeps what it has, and a token ends soon.
                program("reach", {key: wanted[key] for key in ("url", "wait_s", "others")})
            answer["made"] = program("request")
        return answer
    trust = anchors_differ(status, wanted)
    answer["changed"] = trust or not status["loaded"]
    if not check and answer["changed"]:
        if trust:
            program("anchors", {kind: wanted[kind] for kind in ("anchors", "server_anchors")})
        # The watch may be at it just now, with new lists: then nothing is left to do.
        after = program("reload" if trust else "load")
        answer |= {"changed": after["told"], "reloaded": after["users"]}
    return answer


def install(program: Program, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Have the request signed, install the certificate, and have users load it."""
    # The installation examines key, chain and names itself.
    before = program("summary")
    order = wanted["order"]
    program("install", {**order, **({"token": wanted["token"]} if wanted["token"] else {})})
    if order.get("signed"):
        # Now it opens the way to the server, for which the other end must have got its own.
        program("reach", {"url": order["url"], "wait_s": REACH_S, "others": order["others"]})
    warnings = list(_pulled(program)) if before["pulls"] else []
    after = program("summary")
    if not after["loaded"]:
        program("reload")
    return {
        "changed": True,
        "certificate": after["certificate"],
        "reloaded": after["users"],
        "warnings": warnings,
        "diff": diff(wanted["device"], lines(before["certificate"]), lines(after["certificate"])),
    }


def _pulled(program: Program) -> Iterator[str]:
    """Fetch the CRLs at once, since without them no peer is accepted; yield why that did not work."""
    try:
        yield from program("pull")["refused"]
    except DeviceError as error:
        yield f"the certificate is installed; CRLs come later: {error}"
