"""Closed network B of the lab: a small but whole LTE network (3GPP release 15 and earlier).

What is real
    S1AP over SCTP, NAS with EPS-AKA (Milenage with OPc, sequence numbers checked by the SIM,
    resynchronisation), 128-EIA2 and 128-EEA2, S6a Diameter, S11 and S5 GTPv2-C, S1-U and S5-U GTP-U, an
    address for each SIM decided by the packet gateway, refusals with the cause codes of the protocols. HSS,
    MME and SGW are NextEPC's; the packet gateway (`pgw`) uses the kernel's GTP device and is
    provisioned by role `apn_gateway`.

What stands in
    The radio. There is no PHY, MAC, RLC, PDCP and RRC: each UE has a link of its own to the eNB on which
    NAS messages and user packets travel in Ethernet frames of their own (`radio`). Cutting that link cuts the
    radio. QoS is signalled but not enforced. The database of the HSS is a responder (`subscriber_db`) that
    reads the file which the role writes.

What repairs it
    NextEPC notices nothing. A respawner on each node (`respawn`) starts daemons again and keeps MME and SGW
    in step; the eNB (`enb`) supervises S1 and S1-U and has the UEs attach again; the modem (`ue`) keeps its
    interface while it does. Whether the path may be used is decided by BFD end to end, never here.

Use `MobileCore` to describe it, `files` and `commands` to put it on nodes, `health` to look at it. Nothing
in here imports more than the standard library, except what runs inside the guest.
"""

from heiiki_lab.mobile.core import (
    MODEM_PATH,
    PGW_CONFIG_PATH,
    SUBSCRIBERS_PATH,
    USIM_PATH,
    WWAN_CONFIG_PATH,
    End,
    File,
    Link,
    MobileCore,
    Port,
    Radio,
    attempt,
    commands,
    environment,
    files,
    forge,
    start_order,
    usim,
)
from heiiki_lab.mobile.core_health import Execute, health

__all__ = [
    "MODEM_PATH",
    "PGW_CONFIG_PATH",
    "SUBSCRIBERS_PATH",
    "USIM_PATH",
    "WWAN_CONFIG_PATH",
    "End",
    "Execute",
    "File",
    "Link",
    "MobileCore",
    "Port",
    "Radio",
    "attempt",
    "commands",
    "environment",
    "files",
    "forge",
    "health",
    "start_order",
    "usim",
]
