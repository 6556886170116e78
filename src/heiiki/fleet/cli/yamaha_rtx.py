"""Yamaha RTX, by the command line.

Chapter 56 of the command reference: `rollback timer`, `confirm`, `save`; `quit` and `exit` end the timer and
keep the change, and each console has one timer. So no session here ever says `exit`, and a change is
confirmed where it was armed. Paging is answered and not switched off: `console lines` is a line of the
configuration.
"""

import re

from heiiki.fleet.cli.data import CliPlatform, Mode, Say
from heiiki.fleet.model import ConfirmFrom, Safety

_SELECTED = r"(?:(?:tunnel|pp)(?:\d+|anonymous))?"

YAMAHA_RTX = CliPlatform(
    name="yamaha_rtx",
    safety=Safety(
        arms="rollback timer SECONDS",
        unit_s=1,
        least_s=1,
        most_s=21_474_836,
        confirms="confirm",
        confirm_from=ConfirmFrom.ARMING,
        saves="save",
        lost_session="unknown: the reference says only that `exit` keeps the change",
        needs="Rev.14.00.26, 14.01.26, 15.02.03 or later; BGP follows `bgp configure refresh` only",
        source="Yamaha command reference, chapter 56",
    ),
    prompts={Mode.USER: f"{{host}}{_SELECTED}> ", Mode.EXEC: f"{{host}}{_SELECTED}# "},
    name_pattern=r"[A-Za-z0-9._-]{0,64}?",
    more=r"-{2,3} ?(?:つづく|more) ?-{2,3} ?",
    errors=re.compile(r"^(?:Error|エラー)[:\uff1a]", re.IGNORECASE | re.MULTILINE),
    busy=re.compile(r"^(?:Error|エラー)[:\uff1a].*(?:in use|使用中)", re.IGNORECASE | re.MULTILINE),
    renames=re.compile(r"console prompt \"?([^\s\"]+)"),
    elevate=Say("administrator", Mode.EXEC),
    read=Say("show config", seconds=60.0),
    volatile=re.compile(r"^#.*$\n?", re.MULTILINE),
    enter=(),
    arm=(Say("rollback timer {units}"),),
    leave=(),
    confirm=(Say("confirm"),),
    save=(Say("save", seconds=60.0),),
    secrets=(
        re.compile(r"pre-shared-key \S+ (?:text )?(?P<secret>\S+)"),
        re.compile(r"(?:login|administrator) password (?:encrypted )?(?P<secret>\S+)"),
        re.compile(r"pp auth (?:myname|username) \S+ (?P<secret>\S+)"),
    ),
    own=re.compile(r"login (?:user|password) |administrator password |user attribute "),
)
