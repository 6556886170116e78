"""What the ends of direct control are sent: their program, its configuration, their unit, the data model."""

from functools import cache

from heiiki.render.templates import render
from heiiki_agent.mms.orders import MOST_ENTRIES

_MEASURED = (
    ("MMXU", 1, "TotW"),
    ("MMXU", 1, "TotVAr"),
    ("MMXU", 1, "Hz"),
    ("DSTO", 1, "WhAvail"),
)
"""What every site's resource tells (TR-1072 tables 5.6 and 5.8), in the order of its data set."""


@cache
def scl(*, battery: bool) -> str:
    """Return the SCL file (ICD, IEC 61850-6) of a controller with a heat store or a battery behind it."""
    return render("iec61850/der.icd.j2", battery=battery, measured=_MEASURED, entries=MOST_ENTRIES)
