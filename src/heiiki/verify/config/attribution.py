"""Which requirement a difference between running and compiled configuration concerns.

One file holds several requirements. A changed timer says nothing about isolation, a changed filter rule
nothing about switching over: each changed line is mapped to the requirement that it implements. A line
that no rule knows concerns all of them.
"""

import re

_FRR, _NFTABLES = "/etc/frr/frr.conf, running: ", "/etc/nftables.conf the kernel's packet filter differs: "

_RULES: tuple[tuple[str, str, frozenset[str]], ...] = (
    (_FRR, r"bfd|detect-multiplier|-interval|timers ", frozenset({"R-GAP"})),
    (
        _FRR,
        r"prefix-list|route-map|rt vpn|rd vpn|import vpn|export vpn|redistribute",
        frozenset({"R-ISO-SITE"}),
    ),
    (_FRR, r"router (bgp|ospf)|mpls|interface", frozenset({"R-DUAL"})),
    (
        _NFTABLES,
        r'"secpath"|"ipsec"|"encrypted"|"clear_(in|out)"|"chain": "output"',
        frozenset({"R-SEC-ACCESS"}),
    ),
    (_NFTABLES, r'"chain": "forward"', frozenset({"R-ISO-SITE"})),
    (_NFTABLES, r'"chain": "input"', frozenset({"R-ISO-CARRIER", "R-ISO-GROUP"})),
    (_NFTABLES, r'"chain": "(prerouting|from_)', frozenset({"R-ISO-MALICE"})),
)
"""Start of the text, what it says, and the requirements it concerns; the first rule that fits counts."""


def concerns(identifier: str, difference: str, held: frozenset[str]) -> bool:
    """Tell whether `difference` speaks against `identifier`.

    Args:
        identifier: a requirement that the file holds.
        difference: what differs, as the comparison words it.
        held: every requirement that the device's files hold.
    """
    for start, pattern, requirements in _RULES:
        if difference.startswith(start) and re.search(pattern, difference[len(start) :]):
            concerned = requirements & held
            return identifier in concerned if concerned else True
    return True
