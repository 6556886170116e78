"""A site's wired LAN with IEEE 802.1X: the gateway is the authenticator, the controller its only supplicant.

Each lets in the one device that the plan has at the other end, by the name in its certificate.
"""

from heiiki.intent import Site
from heiiki.intent.lan import controlled
from heiiki.plan import identities, names
from heiiki.plan.context import Context
from heiiki.plan.model import Authenticator, Network, Supplicant


def authenticator(context: Context, site: Site) -> Authenticator | None:
    """Return what the site's one gateway is on its LAN; None where no port is controlled."""
    if not controlled(site.site_lan):
        return None
    name, supplicant_name = _ends(context, site)
    return Authenticator(names.LAN_IF, name, supplicant_name, names.controller(site))


def supplicant(context: Context, site: Site) -> Supplicant | None:
    """Return what the site's controller is on its LAN; None where no port is controlled."""
    if not controlled(site.site_lan):
        return None
    joined, name = _ends(context, site)
    return Supplicant(names.LAN_IF, name, joined, names.gateway(site, Network.A))


def _ends(context: Context, site: Site) -> tuple[str, str]:
    gateway, controller = names.gateway(site, Network.A), names.controller(site)
    return identities.authenticator(context, gateway), identities.host(context, controller)
