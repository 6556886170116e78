"""What a simulated Junos answers to the RPCs of its XML protocol, as far as NAPALM's driver asks them.

Forms are from Juniper's Junos XML Management Protocol Developer Guide and NETCONF XML Management Protocol
Developer Guide. A configuration is taken as set lines or as text in braces and shown as set lines alone: to
print text or XML of a whole configuration Juniper's schema would be needed, and it says so.
"""

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape

from heiiki.platforms import braces
from heiiki_lab.devices.device import Device
from heiiki_lab.devices.junos_candidate import Candidate, RefusedStatementError, WrongCandidateError


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request is answered.

    Attributes:
        content: of the `<rpc-reply>`.
        close: the session ends.
    """

    content: str
    close: bool = False


class RpcError(Exception):
    """A request cannot be done; the text is what the device says."""

    def __init__(self, words: str, element: str = "") -> None:
        """Keep the element that it is about beside the words."""
        self.element = element
        super().__init__(words)


class JunosRpc:
    """The requests of one session."""

    operations: ClassVar = {
        "get-configuration": "get_configuration",
        "lock-configuration": "lock",
        "unlock-configuration": "unlock",
        "load-configuration": "load",
        "commit-configuration": "commit",
        "get-commit-revision-information": "commit_revision",
        "get-system-uptime-information": "uptime",
        "close-session": "close_session",
    }

    def __init__(self, device: Device) -> None:
        """Begin a session."""
        self.device = device
        self._candidate = Candidate(device, self)
        self._locked = False

    def answer(self, request: Element) -> Answer:
        """Do what one `<rpc>` asks for."""
        for operation in request:
            name = _name(operation)
            self.device.heard.append(name)
            try:
                answer: str = getattr(self, self.operations.get(name, "unknown"))(operation)
            except RpcError as error:
                return Answer(rpc_error(str(error), error.element))
            return Answer(answer, close=name == "close-session")
        return Answer(rpc_error("syntax error, expecting a request"))

    def lost(self) -> None:
        """Learn that the connection broke: what was not committed is gone, and so is the lock."""
        self.device.dropped(self)

    def get_configuration(self, operation: Element) -> str:
        """Show the committed or the candidate configuration, or what differs between them."""
        if operation.get("compare") == "rollback":
            text = self._compared(int(operation.get("rollback", "0")))
            output = f"<configuration-output>{escape(text)}</configuration-output>"
            return f"<configuration-information>{output}</configuration-information>"
        if (shown := operation.get("format", "xml")) != "set":
            raise RpcError(f"format {shown} is not simulated; ask for set", "get-configuration")
        opened = self.device.editor is self
        committed = operation.get("database") == "committed" or not opened
        text = self.device.text if committed else self._candidate.text
        return f"<configuration-set>\n{escape(text)}</configuration-set>"

    def lock(self, _: Element) -> str:
        """Lock the candidate; refused while another operator has it."""
        if not self._candidate.open():
            raise RpcError(
                "configuration database locked by: other terminal (pid 1) on since 2024-01-01 00:00:00 UTC, "
                "idle 00:00:01 exclusive [edit]"
            )
        self._locked = True
        return "<ok/>"

    def unlock(self, _: Element) -> str:
        """Give the candidate back."""
        if not self._locked:
            raise RpcError("configuration database is not locked")
        self._locked = False
        self._candidate.close()
        return "<ok/>"

    def load(self, operation: Element) -> str:
        """Load set lines, text in braces, or an earlier configuration into the candidate."""
        self._opened()
        if (number := operation.get("rollback")) is not None:
            try:
                self._candidate.rollback(int(number))
            except LookupError:
                raise RpcError("rollback: no such configuration", number) from None
            return _loaded([])
        (content,) = operation
        match _name(content), operation.get("action"):
            case "configuration-set", "set":
                return _loaded([self._edited(line) for line in _lines(content)])
            case "configuration-text", "override":
                self._candidate.clear()
            case "configuration-text", "merge" | "replace" | None:
                pass
            case name, action:
                raise RpcError(f"action {action} is not simulated for it", name)
        return _loaded([self._edited(line) for line in _from_braces(content.text or "")])

    def commit(self, operation: Element) -> str:
        """Commit at once, with a timer in minutes, or only examine."""
        self._opened()
        wanted = {_name(child): (child.text or "").strip() for child in operation}
        minutes = int(wanted.get("confirm-timeout", "10")) if "confirmed" in wanted else 0
        try:
            if "check" in wanted:
                self._candidate.check()
            else:
                self._candidate.commit("netconf", minutes)
        except WrongCandidateError as error:
            errors = rpc_error(error.words, error.statement, error.place)
            wrong = "configuration check-out failed: (missing mandatory statements)"
            return f"<commit-results>{errors}{rpc_error(wrong)}</commit-results>"
        if not self._locked:
            self._candidate.close()
        done = "commit-check-success" if "check" in wanted else "commit-success"
        told = f"commit confirmed will be automatically rolled back in {minutes} minutes unless confirmed"
        output = f"<output>{told}</output>" if minutes else ""
        engine = f"<routing-engine><name>re0</name><{done}/></routing-engine>"
        return f"<commit-results>{output}{engine}</commit-results>"

    def commit_revision(self, _: Element) -> str:
        """Tell of the newest commit; a comment says that it waits to be confirmed."""
        timer, now = self.device.timer, int(time.time())
        comment = f"commit confirmed, rollback in {timer.minutes:.0f}mins" if timer is not None else ""
        return (
            f"<commit-revision-information><revision>re0-{now}-{len(self.device.log)}</revision>"
            f"<user>{escape(self.device.spec.user)}</user><client>netconf</client>"
            f'<date-time junos:seconds="{now}">2024-01-01 00:00:00 UTC</date-time>'
            + (f"<comment>{comment}</comment>" if comment else "")
            + "</commit-revision-information>"
        )

    def uptime(self, _: Element) -> str:
        """Tell the time."""
        now = int(time.time())
        moment = f'<date-time junos:seconds="{now}">2024-01-01 00:00:00 UTC</date-time>'
        return f"<system-uptime-information><current-time>{moment}</current-time></system-uptime-information>"

    def close_session(self, _: Element) -> str:
        """End; what was not committed is gone, and a timer goes on."""
        self._candidate.close()
        return "<ok/>"

    def unknown(self, operation: Element) -> str:
        """Refuse what is not simulated."""
        raise RpcError("syntax error", _name(operation))

    def _opened(self) -> None:
        if not self._candidate.open():
            raise RpcError("configuration database locked by: other terminal (pid 1)")

    def _compared(self, number: int) -> str:
        if self.device.editor is not self:
            return "\n"
        try:
            return "\n" + self._candidate.compared(number)
        except LookupError:
            raise RpcError("rollback: no such configuration", str(number)) from None

    def _edited(self, line: str) -> str:
        """Edit by one line; returns the error or the warning that it earns, or the empty string."""
        try:
            warning = self._candidate.edit(line)
        except RefusedStatementError as error:
            return rpc_error(str(error), line.rsplit(maxsplit=1)[-1])
        return rpc_error(warning, severity="warning") if warning else ""


def rpc_error(words: str, element: str = "", place: str = "", severity: str = "error") -> str:
    """Return an `<rpc-error>`, which names a bad element and its place where there are any."""
    path = f"<error-path>{escape(place)}</error-path>" if place else ""
    info = f"<bad-element>{escape(element)}</bad-element>" if element else ""
    return (
        "<rpc-error><error-type>protocol</error-type><error-tag>operation-failed</error-tag>"
        f"<error-severity>{severity}</error-severity>{path}<error-message>{escape(words)}</error-message>"
        + (f"<error-info>{info}</error-info>" if info else "")
        + "</rpc-error>"
    )


def _loaded(errors: Iterable[str]) -> str:
    told = "".join(errors)
    count = told.count("<error-severity>error<")
    end = f"<load-error-count>{count}</load-error-count>" if count else "<ok/>"
    return f"<load-configuration-results>{told}{end}</load-configuration-results>"


def _lines(content: Element) -> list[str]:
    return [line.strip() for line in (content.text or "").splitlines() if line.strip()]


def _from_braces(text: str) -> list[str]:
    try:
        return [" ".join(words) for _, words in braces.paths(text)]
    except braces.MalformedError as error:
        raise RpcError("syntax error", str(error.args[1])) from None


def _name(element: Element) -> str:
    return re.sub(r"^\{.*\}", "", element.tag)
