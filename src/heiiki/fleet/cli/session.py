"""A session at a device's command line, driven by the data of its platform."""

import re
import time
from collections.abc import Iterator
from functools import cache

import asyncssh

from heiiki.fleet.cli.data import CliPlatform, Mode, Say
from heiiki.fleet.cli.wire import Wire, opened
from heiiki.fleet.errors import (
    BusyError,
    ConsentError,
    LoginError,
    NotPendingError,
    RefusedError,
    SessionLostError,
    UnreachableError,
)
from heiiki.fleet.host_keys import HostKeys
from heiiki.fleet.masking import Mask, mask
from heiiki.fleet.model import Change, Pending, Safety, Staged, Target

CONNECT_S = 15.0
_ECHO = 60
"""Characters of a line whose echo must come back: a longer line may be scrolled."""
_CONTROLS = frozenset("\x07\x08\x1b\r")
"""Characters that a plain text does not have."""
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|.\x08|\r *\r(?!\n)|\x07")


class CliSession:
    """One session; see `heiiki.fleet.model.DeviceSession`."""

    def __init__(
        self,
        platform: CliPlatform,
        target: Target,
        connection: asyncssh.SSHClientConnection,
        wire: Wire,
        notice: str,
    ) -> None:
        """Use a session that is open; `connect` makes one."""
        self._platform, self._target = platform, target
        self._connection, self._wire = connection, wire
        self._names: set[str] = set()
        self._mode = Mode.USER
        self._prepared = False
        self._pages = True
        self._elevating = False
        self._mask: Mask = mask((*target.secrets, *target.login.secrets), platform.secrets)
        self._notice = notice

    @property
    def notice(self) -> str:
        """What first contact had to say."""
        return self._notice

    @property
    def safety(self) -> Safety:
        """How safe a push is on the platform."""
        return self._platform.safety

    async def running(self) -> str:
        """Return the running configuration without volatile lines."""
        platform = self._platform
        if platform.read_mode is Mode.CONFIG:
            await self._all(platform.enter)
            await self._prepare_config()
        text = await self._say(platform.read)
        if platform.read_mode is Mode.CONFIG:
            await self._all(platform.leave)
        if platform.read_ends and re.search(platform.read_ends, text) is None:
            raise SessionLostError(self._about("the configuration came without its end"))
        return platform.volatile.sub("", text) if platform.volatile else text

    async def stage(self, change: Change) -> Staged:
        """Put the lines into the candidate and have it checked, where the platform has one."""
        platform = self._platform
        if not platform.stages:
            return Staged(change, checked=False)
        await self._all(platform.enter)
        try:
            await self._lines(change)
            await self._all(platform.check)
        except RefusedError as error:
            await self._all(platform.undo)
            raise self._refused(error, reverted=True) from error
        return Staged(change, checked=True)

    async def apply(self, staged: Staged, *, revert_in_s: float, without_rollback: bool = False) -> Pending:
        """Apply; a refused line is taken back at once where the platform has a word for it."""
        timed = not without_rollback
        if timed and not self.safety.arms:
            raise ConsentError(self._about("nothing takes a change back here by itself"))
        platform = self._platform
        units = self.safety.units(revert_in_s)
        until = time.time() + units * self.safety.unit_s if timed else None
        if platform.stages:
            await self._commit(platform.commit if timed else platform.commit_untimed, units)
            return Pending(until)
        await self._all(platform.arm if timed else platform.enter, units)
        await self._prepare_config()
        try:
            notices = await self._lines(staged.change)
        except RefusedError as error:
            await self._all(platform.leave)
            reverted = timed and await self._taken_back()
            raise self._refused(error, reverted=reverted) from error
        await self._all(platform.leave)
        return Pending(until, notices)

    async def armed(self) -> bool | None:
        """Ask whether a timer runs, where the platform can tell."""
        platform = self._platform
        if platform.ask_armed is None or platform.armed is None:
            return None
        return platform.armed.search(await self._say(platform.ask_armed)) is not None

    async def confirm(self) -> None:
        """Confirm."""
        if await self.armed() is False:
            raise NotPendingError(
                self._about("there is nothing to confirm: the device has taken the change back")
            )
        await self._all(self._platform.confirm)

    async def revert(self) -> bool:
        """Take back at once."""
        if not self._platform.revert:
            return False
        if await self.armed() is False:
            raise NotPendingError(
                self._about("there is nothing to revert: the device has taken the change back")
            )
        await self._all(self._platform.revert)
        return True

    async def save(self) -> None:
        """Save what runs."""
        await self._all(self._platform.save)

    async def close(self) -> None:
        """Break the connection; nothing is typed, for `exit` confirms on a Yamaha."""
        self._connection.abort()

    async def begin(self) -> None:
        """Read the first prompt, and get to EXEC mode.

        Raises:
            UnreachableError: no prompt came in time.
            LoginError: the administrator's password is wrong.
        """
        platform = self._platform
        try:
            await self._wire.until(_waited(platform), self._first, CONNECT_S)
            if self._mode is Mode.USER and platform.elevate is not None:
                await self._elevate(platform.elevate)
            await self._all(platform.prepare)
            self._pages = not platform.prepare
        except (SessionLostError, RefusedError, BusyError) as error:
            raise UnreachableError(self._about(f"no session at the command line: {error}")) from error

    async def _commit(self, steps: tuple[Say, ...], units: int) -> None:
        try:
            await self._all(steps, units)
        except RefusedError as error:
            await self._all(self._platform.undo)
            raise self._refused(error, reverted=True) from error
        await self._all(self._platform.leave)

    async def _taken_back(self) -> bool:
        """Take back what a refused line left, and tell whether that is known to have worked."""
        try:
            return await self.revert()
        except NotPendingError:
            return True

    async def _elevate(self, say: Say) -> None:
        self._elevating = True
        await self._say(say)
        self._elevating = False
        if self._mode is not Mode.EXEC:
            raise LoginError(self._about("the administrator's password is not accepted; check the log-in"))

    async def _all(self, steps: tuple[Say, ...], units: int = 0) -> None:
        for say in steps:
            text = await self._say(say, units)
            if say.mode is not None and say.mode is not self._mode:
                raise SessionLostError(self._about(f"`{say.text}` did not lead to the mode {say.mode}"))
            if say.proves and re.search(say.proves, text) is None:
                raise RefusedError(
                    self._about(f"`{say.text}` was answered: {self._words(text)}"), 0, self._words(text)
                )

    async def _prepare_config(self) -> None:
        if self._mode is Mode.CONFIG and not self._prepared:
            self._prepared = True
            await self._all(self._platform.prepare_config)
            self._pages = self._pages and not self._platform.prepare_config

    async def _lines(self, change: Change) -> tuple[str, ...]:
        """Type the lines; return what the device remarks."""
        self._mask = mask(
            (*self._target.secrets, *self._target.login.secrets, *change.secrets), self._platform.secrets
        )
        notices: list[str] = []
        for number, line in enumerate(change.lines, start=1):
            self._expect_name(line)
            try:
                text = await self._say(Say(line.strip()))
            except RefusedError as error:
                raise RefusedError(str(error), number, error.words, line=error.line) from error
            notices += self._remarks(text)
        return tuple(notices)

    async def _say(self, say: Say, units: int = 0) -> str:
        """Type a line; return its answer.

        Raises:
            RefusedError, BusyError: the device said so.
            SessionLostError: the session broke, or is out of step.
        """
        line = say.text.replace("{units}", str(units))
        self._wire.write(f"{line}\n")
        await self._prompted(say.seconds)
        text = self._answer(self._wire.text(), line)
        if self._platform.nothing_pending is not None and self._platform.nothing_pending.search(text):
            return text
        if self._platform.busy.search(text):
            raise BusyError(self._about(f"another operator has the configuration: {self._words(text)}"))
        if self._platform.errors.search(text):
            words, shown = self._words(text), self._mask(say.text)
            raise RefusedError(self._about(f"`{shown}` was refused: {words}"), 0, words, line=shown)
        return text

    async def _prompted(self, seconds: float) -> None:
        """Wait for a prompt, turning pages and giving the administrator's password."""
        while True:
            match = await self._wire.until(_waited(self._platform), self._known, seconds)
            if match["more"] is not None:
                self._wire.more(" ", match["more"])
            elif match["ask"] is not None:
                self._wire.more(f"{self._target.login.admin_password}\n", "")
            else:
                self._mode = _mode(match)
                return

    def _first(self, match: re.Match[str]) -> bool:
        """Learn the name from the first prompt."""
        if match["more"] is not None or match["ask"] is not None:
            return False
        self._mode = _mode(match)
        self._expect(match[f"host_{self._mode}"])
        return True

    def _known(self, match: re.Match[str]) -> bool:
        """Tell whether what ends the text is what can stand there now, and no text that looks like it."""
        if match["more"] is not None:
            return self._pages
        if match["ask"] is not None:
            return self._elevating
        return match[f"host_{_mode(match)}"] in self._names

    def _expect(self, name: str) -> None:
        self._names |= {name, name[: self._platform.cut_at]}

    def _expect_name(self, line: str) -> None:
        """Learn the name that a line gives the device."""
        renames = self._platform.renames
        if renames is None or (match := renames.fullmatch(line.strip())) is None:
            return
        user = next(iter(self._names)).partition("@")
        self._expect(f"{user[0]}@{match[1]}" if user[1] else match[1])

    def _answer(self, text: str, line: str) -> str:
        """Return what came between the echo of a line and the prompt.

        Raises:
            SessionLostError: what came does not begin with the echo; it belongs to something else.
        """
        clean = text.replace("\r\n", "\n")
        if not _CONTROLS.isdisjoint(clean):
            clean = _CONTROL.sub("", clean).replace("\r", "")
        rest = _after_echo(clean, line)
        if rest is None:
            raise SessionLostError(
                self._about("the session is out of step: an answer does not begin with its line")
            )
        body = rest[: rest.rfind("\n") + 1]
        return body.removesuffix("\n[edit]\n") if body.endswith("\n[edit]\n") else body

    def _remarks(self, text: str) -> Iterator[str]:
        if self._platform.notices is not None:
            for line in text.splitlines():
                if self._platform.notices.match(line):
                    yield self._mask(line.strip())

    def _words(self, text: str) -> str:
        said = " ".join(line.strip() for line in text.splitlines() if line.strip(" ^"))
        return self._mask(said[:300])

    def _refused(self, error: RefusedError, *, reverted: bool) -> RefusedError:
        where = f"line {error.number} of the change was refused, `{error.line}`"
        about = f"{where if error.number else 'the change was refused'}: {error.words}"
        return RefusedError(self._about(about), error.number, error.words, line=error.line, reverted=reverted)

    def _about(self, text: str) -> str:
        name = f"{self._target.name}: "
        return text if text.startswith(name) else f"{name}{text}"


async def connect(
    platform: CliPlatform, target: Target, keys: HostKeys, seconds: float = CONNECT_S
) -> CliSession:
    """Open a session, at the prompt of EXEC mode.

    Raises:
        UnreachableError: there is no session, in time.
        HostKeyError: the device has another host key.
        LoginError: it does not let the user in.
    """
    connection, wire, notice = await opened(target, keys, seconds)
    session = CliSession(platform, target, connection, wire, notice)
    try:
        await session.begin()
    except BaseException:
        await session.close()
        raise
    return session


@cache
def _waited(platform: CliPlatform) -> re.Pattern[str]:
    """Return what a session waits for: a prompt, the end of a page, or the password's question."""
    prompts = "|".join(
        f"(?P<{mode}>{text.replace('{host}', f'(?P<host_{mode}>{platform.name_pattern})')})"
        for mode, text in platform.prompts.items()
    )
    missing = "".join(
        f"|(?P<{mode}>(?!))(?P<host_{mode}>(?!))" for mode in Mode if mode not in platform.prompts
    )
    return re.compile(rf"[\r\n](?:(?P<more>{platform.more})|(?P<ask>[Pp]assword: ?)|{prompts}{missing})\Z")


def _mode(match: re.Match[str]) -> Mode:
    return Mode(str(match.lastgroup))  # the group that ended last: that of a prompt is around its name's


def _after_echo(text: str, line: str) -> str | None:
    """Return what follows the echo of `line`, which may be folded; None if `text` does not begin with it."""
    if text.startswith(f"{line}\n"):
        return text[len(line) + 1 :]
    place = 0
    for count, char in enumerate("".join(line.split())):
        while place < len(text) and text[place].isspace():
            place += 1
        if place == len(text) or text[place] != char:
            if count < _ECHO:
                return None
            break
        place += 1
    end = text.find("\n", place)
    return text[end + 1 :] if end >= 0 else ""
