"""Every platform that has a driver of ours."""

from collections.abc import Mapping

from heiiki.fleet.cli.cisco_iosxe import CISCO_IOSXE
from heiiki.fleet.cli.data import CliPlatform
from heiiki.fleet.cli.juniper_junos import JUNIPER_JUNOS
from heiiki.fleet.cli.nec_ix import NEC_IX
from heiiki.fleet.cli.yamaha_rtx import YAMAHA_RTX

DRIVERS: Mapping[str, CliPlatform] = {
    one.name: one for one in (CISCO_IOSXE, JUNIPER_JUNOS, NEC_IX, YAMAHA_RTX)
}
"""The drivers by name."""
