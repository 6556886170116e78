"""What a reader must know before trusting the figures: what was left out, and what in the lab is not real."""

OUT_OF_SCOPE = (
    (
        "The hosts' single leg",
        "DRAS, XMPP and each BEMS or ERC hang on one LAN leg; its loss is not a loss of a path.",
    ),
    (
        "The LAN switch",
        "One switch a LAN; doubling it is the building's matter, not the two closed networks'.",
    ),
    (
        "The hub's building",
        "Power, cooling and the building of the energy service provider are taken as given.",
    ),
)
"""Single failures that R-GAP is not asked to survive (decision D8)."""

REAL = (
    ("Routing", "FRRouting: BGP, BFD, OSPF, LDP and VPNv4 with MPLS forwarding by the kernel."),
    ("Packet filters", "nftables, with the rules that a real host is sent."),
    ("Virtual gateways", "keepalived, VRRPv3."),
    ("IPsec", "strongSwan's IKEv2 daemon and the kernel's ESP, with certificates of the service's own CA."),
    ("Certificates", "OpenBao: issuing, revocation and CRLs; raft storage, TLS and audit log, not dev mode."),
    ("Mobile core", "NextEPC's HSS, MME and SGW: S6a, S11, S1-AP, NAS with EPS-AKA and its ciphers."),
    (
        "Provisioning",
        "The same roles, templates and services as for real hosts; only the connection differs.",
    ),
)
"""Parts of the lab that are what the field runs."""

SIMULATED = (
    ("Radio", "eNB and UE speak S1-AP, NAS and GTP-U, but the air between them is a virtual cable."),
    ("PGW", "The project's own packet gateway stands in for a carrier's."),
    (
        "Machines",
        "All nodes are namespaces of one guest kernel: one clock, shared processors, no hardware failures.",
    ),
    (
        "Distance",
        "Virtual cables have no length: delays are those of the software alone unless impaired on purpose.",
    ),
)
"""Parts of the lab that stand in for something."""

_ASSOCIATION = (
    "Device to device: the IPsec association, asked of IKE daemon and kernel at both ends. Certificate: days"
    " left, and the least number of them. Wire: all packets seen while traffic flows, by kind. "
)
READING = {
    ("R-SEC-ACCESS", "design"): (
        "Site over network: what protects each link of the path. Return: after how much silence an end gives"
        " its peer up; routing has switched over long before."
    ),
    ("R-SEC-ACCESS", "live"): (
        f"{_ASSOCIATION}“gtp with esp” is ESP inside of the carrier's GTP-U. Tunnel down: what was sent"
        " without an association must be seen nowhere. The others were tried, and must be refused."
    ),
    ("R-SEC-ESP", "live"): (
        f"{_ASSOCIATION}All that is the customer's is inside of esp. The others were tried, and must be"
        " refused."
    ),
    ("R-THEFT", "design"): (
        "The longest that a verifier may go without asking for CRLs; revoke.yml has it ask at once."
    ),
    ("R-THEFT", "live"): (
        "Each gateway is heard at the hub. Revocation at a device: a new list of every CA, and it accepts"
        " no peer without one. How soon a stolen device lost access is shown here once revoke.yml has run;"
        " that a revoked certificate is refused, under R-SEC-ACCESS and R-SEC-ESP."
    ),
}
"""How to read the verdicts of a requirement at a stage, where their subjects do not say it."""
