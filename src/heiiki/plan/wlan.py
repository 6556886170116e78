"""A site's LAN on the air: the gateway is the access point, the controller its only station.

Each lets in the one device that the plan has at the other end, by the name in its certificate.
"""

from heiiki.intent import Site
from heiiki.intent.lan import WirelessLan
from heiiki.plan import identities, names
from heiiki.plan.context import Context
from heiiki.plan.model import AccessPoint, Air, LinkKind, Network, Station


def leg_kind(site: Site) -> LinkKind:
    """Return what the link between the one gateway of a site and its controller is."""
    return LinkKind.WLAN if isinstance(site.site_lan, WirelessLan) else LinkKind.LAN


def access_point(context: Context, site: Site) -> AccessPoint | None:
    """Return what the site's one gateway serves; None where the LAN is wired."""
    if not isinstance(site.site_lan, WirelessLan):
        return None
    name, station = _ends(context, site)
    return AccessPoint(names.LAN_IF, _air(context, site, site.site_lan), name, station)


def station(context: Context, site: Site) -> Station | None:
    """Return what the site's controller is on the air; None where the LAN is wired."""
    if not isinstance(site.site_lan, WirelessLan):
        return None
    joined, name = _ends(context, site)
    return Station(names.LAN_IF, _air(context, site, site.site_lan), name, joined)


def _ends(context: Context, site: Site) -> tuple[str, str]:
    gateway, controller = names.gateway(site, Network.A), names.controller(site)
    return identities.access_point(context, gateway), identities.host(context, controller)


def _air(context: Context, site: Site, written: WirelessLan) -> Air:
    """The name on the air does not say whose site it is, and fits: two names of the intent would not."""
    return Air(f"{context.service.service}-{site.number:04d}", written.channel, written.country)
