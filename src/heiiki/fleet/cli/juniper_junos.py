"""Juniper Junos, by the command line, as set lines.

`configure exclusive`, `commit check`, `commit confirmed` and a later `commit`: Juniper, CLI User Guide. A
session never leaves with uncommitted changes: it loads what is committed first.
"""

import re

from heiiki.fleet.cli.data import CliPlatform, Mode, Say
from heiiki.fleet.model import ConfirmFrom, Safety

_COMMITTED = r"commit complete"
_ENTER = Say("configure exclusive", Mode.CONFIG, proves="Entering configuration mode")
_EXIT = Say("exit", Mode.EXEC)

JUNIPER_JUNOS = CliPlatform(
    name="juniper_junos",
    safety=Safety(
        arms="commit confirmed MINUTES",
        unit_s=60,
        least_s=60,
        most_s=65_535 * 60,
        confirms="commit",
        confirm_from=ConfirmFrom.ANY,
        reverts="rollback 1, commit",
        checks="commit check",
        lost_session="the timer goes on; what was not committed is discarded",
        needs="no other operator in configuration mode",
        source="Juniper, CLI User Guide, commit confirmed",
    ),
    prompts={Mode.EXEC: "{host}> ", Mode.CONFIG: "{host}# "},
    name_pattern=r"[A-Za-z0-9._-]{1,64}@[A-Za-z0-9._-]{1,64}",
    more=r"---\(more(?: \d+%)?\)---",
    errors=re.compile(
        r"^\s*(?:syntax error|unknown command|error:|missing argument|invalid value)",
        re.IGNORECASE | re.MULTILINE,
    ),
    busy=re.compile(r"configuration database (?:locked|modified)", re.IGNORECASE),
    notices=re.compile(r"^warning: .*"),
    renames=re.compile(r"set system host-name (\S+)"),
    prepare=(
        Say("set cli screen-length 0"),
        Say("set cli screen-width 511"),
        Say("set cli complete-on-space off"),
    ),
    read=Say("show configuration | display set", seconds=120.0),
    enter=(_ENTER,),
    check=(Say("commit check", proves="configuration check succeeds", seconds=300.0),),
    commit=(Say("commit confirmed {units}", proves=_COMMITTED, seconds=300.0),),
    commit_untimed=(Say("commit", proves=_COMMITTED, seconds=300.0),),
    leave=(_EXIT,),
    undo=(Say("rollback 0", proves="load complete"), _EXIT),
    ask_armed=Say("show system commit"),
    armed=re.compile(r"rollback pending"),
    confirm=(_ENTER, Say("commit", proves=_COMMITTED, seconds=300.0), _EXIT),
    revert=(
        _ENTER,
        Say("rollback 1", proves="load complete"),
        Say("commit", proves=_COMMITTED, seconds=300.0),
        _EXIT,
    ),
    secrets=(
        re.compile(
            r"(?:encrypted-password|authentication-key|ascii-text|(?:default-)?chap-secret"
            r"|authentication-password|privacy-password) "
            r"\"?(?P<secret>[^\s\"]+)"
        ),
    ),
    own=re.compile(r"set system (?:login|root-authentication|services netconf) "),
)
