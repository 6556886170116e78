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
