"""What a command line is, as data: prompts, modes, error lines, paging, and the words of each operation."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from heiiki.fleet.model import Safety


class Mode(StrEnum):
    """Where a session is."""

    USER = "user"
    EXEC = "exec"
    CONFIG = "config"


@dataclass(frozen=True, slots=True)
class Say:
    """A line that is typed.

    Attributes:
        text: the line; `{units}` is the time of the rollback in the platform's unit.
        mode: where it leads; it stays in the present mode where this is None.
        proves: an expression that the answer must contain to be a success; empty for none.
        seconds: how long the device may take.
    """

    text: str
    mode: Mode | None = None
    proves: str = ""
    seconds: float = 30.0


@dataclass(frozen=True, slots=True, eq=False)
class CliPlatform:
    r"""The command line of a platform.

    Attributes:
        name: the platform.
        safety: how safe a push is.
        prompts: an expression for each mode, `{host}` in it for the device's name; nothing follows a prompt.
        name_pattern: what such a name is made of.
        cut_at: characters of the name that the prompt of configuration mode shows.
        more: the question at the end of a page, answered by a blank.
        errors: lines by which a command was refused.
        busy: says that another operator has the configuration.
        nothing_pending: says that no rollback timer runs.
        notices: lines that are kept and shown, and are no error.
        renames: a configuration line whose group is the new host name.
        elevate: what leads from `Mode.USER` to `Mode.EXEC`; it asks for the administrator's password.
        prepare: typed once a session has the mode `EXEC`.
        prepare_config: typed the first time that it has the mode `CONFIG`.
        read: shows the running configuration.
        read_mode: in which mode; the session enters and leaves configuration mode for it.
        read_ends: what a whole answer ends with; empty where nothing marks it.
        volatile: lines of the answer that change from one reading to the next.
        enter: leads to configuration mode.
        arm: leads there with a rollback timer armed; empty where the timer is armed by `commit`.
        check: examines the change before it is applied.
        commit: applies it with a timer, where typing the lines does not.
        commit_untimed: the same without a timer.
        leave: leads back to EXEC mode.
        undo: leaves configuration mode without applying anything, where lines are only staged.
        ask_armed: shows whether a timer runs; empty where nothing does.
        armed: finds a running timer in that answer.
        confirm: confirms.
        revert: takes a change back at once.
        save: lets it outlive a reload.
        secrets: finds values that no text may show, in their group `secret`.
        own: lines outside sections that are the device's own, with those below them: who may log in, what
            its rollback needs, and a server that a session may come by. No push adds or removes any.
    """

    name: str
    safety: Safety
    prompts: Mapping[Mode, str]
    more: str
    errors: re.Pattern[str]
    busy: re.Pattern[str]
    enter: tuple[Say, ...]
    leave: tuple[Say, ...]
    read: Say
    name_pattern: str = r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}"
    cut_at: int = 63
    read_mode: Mode = Mode.EXEC
    read_ends: str = ""
    nothing_pending: re.Pattern[str] | None = None
    notices: re.Pattern[str] | None = None
    renames: re.Pattern[str] | None = None
    elevate: Say | None = None
    prepare: tuple[Say, ...] = ()
    prepare_config: tuple[Say, ...] = ()
    volatile: re.Pattern[str] | None = None
    arm: tuple[Say, ...] = ()
    check: tuple[Say, ...] = ()
    commit: tuple[Say, ...] = ()
    commit_untimed: tuple[Say, ...] = ()
    undo: tuple[Say, ...] = ()
    ask_armed: Say | None = None
    armed: re.Pattern[str] | None = None
    confirm: tuple[Say, ...] = ()
    revert: tuple[Say, ...] = ()
    save: tuple[Say, ...] = ()
    secrets: tuple[re.Pattern[str], ...] = ()
    own: re.Pattern[str] = re.compile(r"(?!)")

    @property
    def stages(self) -> bool:
        """Whether lines are staged first, and applied by a commit."""
        return bool(self.commit)
