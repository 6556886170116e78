"""Frozen models of the plan, by subject.

No module below the plan computes an address or invents a name.
"""

from heiiki.plan.model.device import Device, Function, Role, StampStream
from heiiki.plan.model.dot1x import Authenticator, Supplicant
from heiiki.plan.model.est import Est, EstClient
from heiiki.plan.model.faults import Availability, ElementKind, FailureMode, Fault, Program, fault_name
from heiiki.plan.model.firewall import (
    AllowedSource,
    Firewall,
    ForwardPair,
    InputService,
    Limit,
    ManagementAccess,
    Transit,
)
from heiiki.plan.model.interfaces import Gre, Interface, InterfaceKind, Xfrm
from heiiki.plan.model.ipsec import EspMode, IpsecConnection, TrafficSelector
from heiiki.plan.model.lan import LanWatch, Neighbour, Vrrp
from heiiki.plan.model.mms import ControlledSite, MmsClient, MmsServer
from heiiki.plan.model.mobile import MobilePlan, Pgw, Sim
from heiiki.plan.model.networks import ClosedNetwork, Network
from heiiki.plan.model.openadr import (
    Doubled,
    RestApi,
    ServedEsp,
    ServedVen,
    Ven,
    Vtn,
    VtnHost,
    XmppLogin,
)
from heiiki.plan.model.pki import (
    AuditLog,
    CrlMirror,
    CrlSource,
    DeviceClass,
    Identity,
    Lifetimes,
    Pki,
    Registrar,
    Suite,
    VaultClient,
    VaultEndpoint,
    VaultHost,
    VaultServer,
)
from heiiki.plan.model.pppoe import (
    PppoeClient,
    PppoeLine,
    RadiusHome,
    RadiusPeer,
    RadiusProxy,
    RadiusServer,
    RadiusUser,
)
from heiiki.plan.model.risks import Risks, SharedRisk
from heiiki.plan.model.routing import (
    BgpInstance,
    BgpNeighbor,
    CoreNeighbor,
    PrefixSet,
    Router,
    StaticRoute,
    VpnTargets,
)
from heiiki.plan.model.service import Management, Plan, SitePlan
from heiiki.plan.model.time import Clock, TimeKey, TimeServer
from heiiki.plan.model.timers import BfdProfile, IkeTimers, Timers
from heiiki.plan.model.topology import ETHERNET_MTU, Endpoint, Link, LinkKind, Path, Rate
from heiiki.plan.model.wlan import AccessPoint, Air, Station
from heiiki.plan.model.xmpp import XmppServer

__all__ = [
    "ETHERNET_MTU",
    "AccessPoint",
    "Air",
    "AllowedSource",
    "AuditLog",
    "Authenticator",
    "Availability",
    "BfdProfile",
    "BgpInstance",
    "BgpNeighbor",
    "Clock",
    "ClosedNetwork",
    "ControlledSite",
    "CoreNeighbor",
    "CrlMirror",
    "CrlSource",
    "Device",
    "DeviceClass",
    "Doubled",
    "ElementKind",
    "Endpoint",
    "EspMode",
    "Est",
    "EstClient",
    "FailureMode",
    "Fault",
    "Firewall",
    "ForwardPair",
    "Function",
    "Gre",
    "Identity",
    "IkeTimers",
    "InputService",
    "Interface",
    "InterfaceKind",
    "IpsecConnection",
    "LanWatch",
    "Lifetimes",
    "Limit",
    "Link",
    "LinkKind",
    "Management",
    "ManagementAccess",
    "MmsClient",
    "MmsServer",
    "MobilePlan",
    "Neighbour",
    "Network",
    "Path",
    "Pgw",
    "Pki",
    "Plan",
    "PppoeClient",
    "PppoeLine",
    "PrefixSet",
    "Program",
    "RadiusHome",
    "RadiusPeer",
    "RadiusProxy",
    "RadiusServer",
    "RadiusUser",
    "Rate",
    "Registrar",
    "RestApi",
    "Risks",
    "Role",
    "Router",
    "ServedEsp",
    "ServedVen",
    "SharedRisk",
    "Sim",
    "SitePlan",
    "StampStream",
    "StaticRoute",
    "Station",
    "Suite",
    "Supplicant",
    "TimeKey",
    "TimeServer",
    "Timers",
    "TrafficSelector",
    "Transit",
    "VaultClient",
    "VaultEndpoint",
    "VaultHost",
    "VaultServer",
    "Ven",
    "VpnTargets",
    "Vrrp",
    "Vtn",
    "VtnHost",
    "Xfrm",
    "XmppLogin",
    "XmppServer",
    "fault_name",
]
