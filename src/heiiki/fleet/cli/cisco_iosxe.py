"""Cisco IOS-XE, by the command line.

`configure terminal revert timer` and `configure confirm`: Cisco, Configuration Rollback Confirmed Change,
17.x.
"""

import re

from heiiki.fleet.cli.data import CliPlatform, Mode, Say
from heiiki.fleet.model import ConfirmFrom, Safety

CISCO_IOSXE = CliPlatform(
    name="cisco_iosxe",
    safety=Safety(
        arms="configure terminal revert timer MINUTES",
        unit_s=60,
        least_s=60,
        most_s=7200,
        confirms="configure confirm",
        confirm_from=ConfirmFrom.ANY,
        reverts="configure revert now",
        saves="write memory",
        lost_session="the timer goes on",
        needs="`archive` with `path`; memory for both configurations",
        source="Cisco, Configuration Rollback Confirmed Change, 17.x",
    ),
    prompts={Mode.USER: "{host}>", Mode.EXEC: "{host}#", Mode.CONFIG: r"{host}\(conf[a-z0-9-]{0,30}\)#"},
    cut_at=20,
    more=r" ?--More-- ?",
    errors=re.compile(
        r"^% ?(?:Invalid|Incomplete|Ambiguous|Unrecognized|Unknown|Access denied|Error|Cannot|Bad|Failed)"
        r"|^% ?.*not allowed"
        r"|^%Please turn config archive on|^%A Rollback Confirmed Change is already pending"
        r"|^Command rejected",
        re.IGNORECASE | re.MULTILINE,
    ),
    busy=re.compile(r"^% ?Configuration (?:mode )?(?:is )?locked", re.IGNORECASE | re.MULTILINE),
    nothing_pending=re.compile(r"No Rollback Confirmed Change pending"),
    notices=re.compile(r"^%.*"),
    renames=re.compile(r"hostname (\S+)"),
    elevate=Say("enable", Mode.EXEC),
    prepare=(Say("terminal length 0"), Say("terminal width 511")),
    read=Say("show running-config", seconds=120.0),
    read_ends=r"\nend\n*$",
    volatile=re.compile(
        r"^(?:Building configuration\.\.\.|Current configuration ?: \d+ bytes|! Last configuration change .*"
        r"|! NVRAM config last updated .*|ntp clock-period .*)$\n?",
        re.MULTILINE,
    ),
    enter=(Say("configure terminal", Mode.CONFIG),),
    arm=(Say("configure terminal revert timer {units}", Mode.CONFIG, proves="Rollback Confirmed Change"),),
    leave=(Say("end", Mode.EXEC),),
    ask_armed=Say("show archive config rollback timer"),
    armed=re.compile(r"Timer value"),
    confirm=(Say("configure confirm"),),
    revert=(Say("configure revert now", seconds=120.0),),
    save=(Say("write memory", proves=r"\[OK\]", seconds=120.0),),
    secrets=(
        re.compile(r"(?:password|secret|key-string|pre-shared-key|community)(?: \d)? (?P<secret>\S+)"),
        re.compile(r"\b(?:auth|priv) (?:md5|sha\S*|des|3des|aes \d+) (?P<secret>\S+)"),
    ),
    own=re.compile(r"username |enable (?:secret|password) |aaa |archive$"),
)
