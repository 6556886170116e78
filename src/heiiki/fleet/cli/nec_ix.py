"""NEC UNIVERGE IX, by the command line.

No reference that could be read has a rollback timer, so the driver claims none. `enable-config` is used,
never `svintr-config`, which throws another operator out. A line of 80 columns is folded until `terminal
width` says otherwise, so the width comes first.
"""

import re

from heiiki.fleet.cli.data import CliPlatform, Mode, Say
from heiiki.fleet.model import Safety

NEC_IX = CliPlatform(
    name="nec_ix",
    safety=Safety(
        saves="write memory",
        lost_session="every line that was taken stays until a reload",
        needs="a person's yes: nothing takes a change back",
        source="no rollback timer in any reference that could be read",
    ),
    prompts={Mode.EXEC: "{host}# ", Mode.CONFIG: r"{host}\(config[^)\r\n]{0,40}\)# "},
    more=r"--More--",
    errors=re.compile(
        r"^% (?!Warning|You must restart).* -- .*|^% .*(?:invalid|incomplete|ambiguous|unknown)",
        re.IGNORECASE | re.MULTILINE,
    ),
    busy=re.compile(r"^% CONFIG process is occupied", re.MULTILINE),
    notices=re.compile(r"^%.*"),
    renames=re.compile(r"hostname (\S+)"),
    read=Say("show running-config", seconds=60.0),
    read_mode=Mode.CONFIG,
    volatile=re.compile(r"^!.*$\n?", re.MULTILINE),
    enter=(Say("enable-config", Mode.CONFIG),),
    prepare_config=(Say("terminal length 0"), Say("terminal width 512")),
    leave=(Say("configure", Mode.CONFIG), Say("exit", Mode.EXEC)),
    save=(Say("enable-config", Mode.CONFIG), Say("write memory", seconds=120.0), Say("exit", Mode.EXEC)),
    secrets=(
        re.compile(r"\bkey (?:char|hex|secret) (?P<secret>\S+)"),
        re.compile(r"authentication password \S+ (?P<secret>\S+)"),
        re.compile(r"\bpassword (?:plain|hash|secret) (?:\d )?(?P<secret>\S+)"),
    ),
    own=re.compile(r"username "),
)
