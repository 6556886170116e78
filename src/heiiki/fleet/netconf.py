"""Devices by NETCONF: candidate, test-then-set, and confirmed commits by persist-id (RFC 6241, 8.3 to 8.6).

A change is one document, the `<config>` of an edit-config. The persist-id is made of the device's name, so
that a later session, and a later run, can confirm or cancel what an earlier one committed.
"""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import asyncssh
from ncclient import NCClientError, manager
from ncclient.operations import RPCError
from ncclient.operations.errors import TimeoutExpiredError
from ncclient.transport import AuthenticationError, SSHSession, SSHUnknownHostError
from ncclient.transport import session as transport_session
from ncclient.xml_ import to_xml

from heiiki.fleet.blocking import examined, in_thread
from heiiki.fleet.errors import (
    BusyError,
    ConsentError,
    HostKeyError,
    LoginError,
    NotPendingError,
    RefusedError,
    SessionLostError,
    UnreachableError,
)
from heiiki.fleet.host_keys import HostKeys
from heiiki.fleet.masking import mask
from heiiki.fleet.model import Change, Pending, Safety, Staged, Target, deadline
from heiiki.fleet.safety import NETCONF

CONNECT_S = 15.0
_ANSWER_S = 60
_LOCK_TAGS = ("lock-denied", "in-use")

# It looks for something to send every 0.1 s, which each request waits for; no parameter says how often.
transport_session.TICK = 0.01
# It logs what it sends, with the secrets in it.
logging.getLogger("ncclient").setLevel(logging.WARNING)

T = TypeVar("T")


class NetconfSession:
    """One session; see `heiiki.fleet.model.DeviceSession`."""

    def __init__(self, target: Target, session: SSHSession, client: manager.Manager, notice: str) -> None:
        """Use a session that is open; `connect` makes one."""
        self._target, self._session, self._client, self._notice = target, session, client, notice
        self._persist = f"heiiki-{target.name}"
        self._mask = mask((*target.secrets, *target.login.secrets))

    @property
    def safety(self) -> Safety:
        """How safe a push is by NETCONF."""
        return NETCONF

    @property
    def notice(self) -> str:
        """What first contact had to say."""
        return self._notice

    async def running(self) -> str:
        """Return the running configuration, the content of `<data>`, indented."""
        reply = await self._call(lambda: self._client.get_config("running"))
        texts = (str(to_xml(child, pretty_print=True)) for child in reply.data_ele)
        return "".join(text[text.index("?>") + 2 :] for text in texts)

    async def stage(self, change: Change) -> Staged:
        """Lock the candidate, and put the change into it, which the server examines."""
        self._mask = mask((*self._target.secrets, *self._target.login.secrets, *change.secrets))
        await self._lock()
        try:
            await self._call(self._client.discard_changes)
            for number, document in enumerate(change.lines, start=1):
                await self._step(number, partial(self._edit, document))
        except RefusedError:
            await self._give_up()
            raise
        return Staged(change, checked=True)

    async def apply(self, staged: Staged, *, revert_in_s: float, without_rollback: bool = False) -> Pending:
        """Commit what is staged, and give the candidate back."""
        del staged
        units = NETCONF.units(revert_in_s)
        if not without_rollback and ":confirmed-commit:1.1" not in self._client.server_capabilities:
            await self._give_up()
            raise ConsentError(
                f"{self._target.name}: the server has no confirmed commit that outlives a session"
            )
        try:
            await self._step(0, self._commit(None if without_rollback else units))
        except RefusedError:
            await self._give_up()
            raise
        await self._call(lambda: self._client.unlock("candidate"))
        return Pending(None if without_rollback else deadline(units))

    async def armed(self) -> bool | None:
        """Return None: no datastore tells of a pending commit."""
        return None

    async def confirm(self) -> None:
        """Confirm by the persist-id."""
        await self._ended(lambda: self._client.commit(persist_id=self._persist))

    async def revert(self) -> bool:
        """Cancel by the persist-id."""
        await self._ended(lambda: self._client.cancel_commit(persist_id=self._persist))
        return True

    async def save(self) -> None:
        """Copy to the startup datastore, where the server has one."""
        if ":startup" in self._client.server_capabilities:
            await self._call(lambda: self._client.copy_config("running", "startup"))

    async def close(self) -> None:
        """Break the connection; the lock goes with it."""
        await in_thread(self._session.close)

    async def _lock(self) -> None:
        try:
            await self._call(lambda: self._client.lock("candidate"))
        except RPCError as error:
            if error.tag in _LOCK_TAGS:
                raise BusyError(f"{self._target.name}: another session has the candidate") from error
            raise self._refused(0, error) from error

    async def _give_up(self) -> None:
        await self._call(self._client.discard_changes)
        await self._call(lambda: self._client.unlock("candidate"))

    def _edit(self, document: str) -> Any:
        """Change the candidate, examined first (`test-then-set`).

        A `<validate>` of its own is not sent: behind one, yuma123 2.13 answers a commit by `<ok/>` and
        applies nothing. The commit validates the whole configuration in any case (RFC 6241, 8.3.4.1).
        """
        return self._client.edit_config(document, target="candidate", test_option="test-then-set")

    def _commit(self, seconds: int | None) -> Callable[[], Any]:
        if seconds is None:
            return partial(self._client.commit, confirmed=False)
        return lambda: self._client.commit(confirmed=True, timeout=str(seconds), persist=self._persist)

    async def _step(self, number: int, call: Callable[[], Any]) -> None:
        try:
            await self._call(call)
        except RPCError as error:
            raise self._refused(number, error) from error

    async def _ended(self, call: Callable[[], Any]) -> None:
        """End a pending commit; an error says that none is pending under this persist-id."""
        try:
            await self._call(call)
        except RPCError as error:
            raise NotPendingError(
                f"{self._target.name}: there is nothing to confirm or to cancel: {self._words(error)}"
            ) from error

    async def _call(self, call: Callable[[], T]) -> T:
        try:
            return await in_thread(call)
        except RPCError:
            raise
        except (NCClientError, OSError, EOFError) as error:
            what = f"no answer within {_ANSWER_S} s" if isinstance(error, TimeoutExpiredError) else "it broke"
            raise SessionLostError(f"{self._target.name}: the NETCONF session: {what}") from error

    def _refused(self, number: int, error: RPCError) -> RefusedError:
        where = f"line {number} of the change" if number else "the change"
        words = self._words(error)
        return RefusedError(
            f"{self._target.name}: {where} was refused: {words}", number, words, reverted=True
        )

    def _words(self, error: RPCError) -> str:
        said = " ".join(str(one) for one in (error.tag, error.message, error.path) if one)
        return self._mask(" ".join(said.split())[:300])


async def connect(target: Target, keys: HostKeys, seconds: float = CONNECT_S) -> NetconfSession:
    """Open a session.

    The host key is examined first, by our own check; ncclient is then given that key and takes no other.

    Raises:
        UnreachableError: there is no session, in time.
        HostKeyError: the device has another host key.
        LoginError: it does not let the user in.
    """
    device = await examined(target, keys, seconds)
    try:
        session, client = await in_thread(lambda: _opened(target, device.key, seconds))
    except SSHUnknownHostError as error:
        raise HostKeyError(f"{device.where}: the host key is not the pinned one") from error
    except AuthenticationError as error:
        raise LoginError(
            f"{device.where}: user {target.login.user} is not let in; check the log-in"
        ) from error
    except (NCClientError, OSError, EOFError) as error:
        raise UnreachableError(f"{device.where}: no NETCONF session: {type(error).__name__}") from error
    return NetconfSession(target, session, client, device.notice)


def _opened(target: Target, key: asyncssh.SSHKey, seconds: float) -> tuple[SSHSession, manager.Manager]:
    login, handler = target.login, manager.make_device_handler(None)
    session = SSHSession(handler)
    session.connect(
        host=target.host,
        port=target.port,
        username=login.user,
        password=login.password or None,
        key_filename=login.key_file or None,
        hostkey_verify=True,
        hostkey_b64=key.export_public_key("openssh").decode("ascii").split()[1],
        unknown_host_cb=lambda host, fingerprint: False,  # noqa: ARG005 - names are ncclient's
        allow_agent=False,
        look_for_keys=False,
        ssh_config=None,
        timeout=seconds,
    )
    return session, manager.Manager(session, handler, timeout=_ANSWER_S)
