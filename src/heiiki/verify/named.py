"""What the checks of a verification are called, and what each is about."""

from heiiki.render import dot1x, pppoe, wlan
from heiiki.verify import load, volume
from heiiki.verify.mms import orders
from heiiki.verify.scan import course as port_scan
from heiiki.verify.wired import data
from heiiki.verify.xmpp import exchange

CHECKS = (
    "config",
    "vault",
    "host",
    "time",
    "volume",
    "sessions",
    "paths",
    "event",
    "isolation",
    "scan",
    "xmpp",
    "wlan",
    "dot1x",
    "lan",
    "pppoe",
    "access",
    "trust",
    "load",
    "control",
    "faults",
)

TRUST, REFUSALS = "trust", "refusals"
"""What check ``trust`` tries is reported by itself."""
LINES = tuple(line for name in CHECKS for line in ((name, REFUSALS) if name == TRUST else (name,)))
"""The lines of the progress, in order."""

ABOUT = {
    "config": "R-DUAL",
    "vault": "R-THEFT",
    "host": "R-MINIMAL",
    "time": "R-SEC-ACCESS/time",
    "event": "R-EVENT",
    "volume": volume.REQUIREMENT,
    "sessions": "R-DUAL",
    "paths": "R-DELAY",
    "isolation": "R-ISO-SITE",
    "scan": port_scan.REQUIREMENT,
    "xmpp": exchange.REQUIREMENT,
    "wlan": wlan.REQUIREMENT,
    "dot1x": dot1x.REQUIREMENT,
    "lan": data.REQUIREMENT,
    "pppoe": pppoe.REQUIREMENT,
    "access": "R-ISO-CARRIER",
    "trust": "R-SEC-ACCESS",
    "load": load.REQUIREMENT,
    "control": orders.REQUIREMENT,
}
"""Requirement of the verdict that says that a check could not be completed."""
