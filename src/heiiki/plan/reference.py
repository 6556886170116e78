"""The page of the timer profiles, made from them."""

from operator import attrgetter

from heiiki.plan.model import Timers
from heiiki.plan.timers import PROFILES

_HEAD = """\
# Timer profiles

Made from the profiles by `heiiki reference docs/reference`; do not edit. `timers:` in `service.yml` chooses.

`laboratory` watches every path quickly. `production` watches the active path so, and the standby slowly:
on LTE every packet of supervision counts against the SIM's volume (R-COST). `heiiki check` sums the
switch-over budget (R-GAP) from the timers in what devices are sent, and shows volume and price of both.
"""

_MEANINGS: dict[str, tuple[str, str]] = {
    "bfd_active": (
        "BFD of the active path, of access lines and LANs (RFC 5880): interval × multiplier",
        "ms",
    ),
    "bfd_standby": ("BFD of the standby path: interval × multiplier", "ms"),
    "vrrp_advert_ms": ("VRRP advertisement interval (RFC 9568)", "ms"),
    "vrrp_preempt_delay_s": ("wait of a returning VRRP master before it takes over again", "s"),
    "lan_probe_ms": ("interval of the LAN watch's ARP probes", "ms"),
    "lan_probe_lost": ("lost probes in a row after which the LAN counts as dead", "probes"),
    "bgp_connect_s": ("BGP connect retry (RFC 4271)", "s"),
    "ospf_spf_ms": ("hold-down of the carrier's shortest-path computation", "ms"),
    "ike.dpd_delay_s": ("IKEv2 liveness: silence after which a peer is asked (RFC 7296 2.4)", "s"),
    "ike.retransmit_tries": ("IKEv2 retransmissions before a peer is given up", "messages"),
    "ike.give_up_s": ("from the last packet of a dead IKEv2 peer until it is given up", "s"),
    "ike.rekey_ike_s": ("life of an IKE SA", "s"),
    "ike.rekey_esp_s": ("life of an ESP SA, with a key exchange of its own (PFS)", "s"),
}


def timers_page() -> str:
    """Return the page, one column a profile."""
    profiles = tuple(PROFILES.values())
    names = " | ".join(f"`{item.profile}`" for item in profiles)
    rows = [
        f"| {meaning} | {unit} | {' | '.join(_value(item, name) for item in profiles)} |"
        for name, (meaning, unit) in _MEANINGS.items()
    ]
    return "\n".join([_HEAD, f"| timer | unit | {names} |", f"|---|---|{'---|' * len(profiles)}", *rows, ""])


def _value(timers: Timers, name: str) -> str:
    bfd = {"bfd_active": timers.active, "bfd_standby": timers.standby}.get(name)
    if bfd is not None:
        return f"{bfd.interval_ms} × {bfd.multiplier} = {bfd.detection_ms}"
    value = attrgetter(name)(timers)
    return f"{value:.1f}" if isinstance(value, float) else str(value)
