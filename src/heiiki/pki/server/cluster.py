"""Connections to the servers of one cluster: to the one that leads, and when it is gone to the next.

A server that follows hands requests on, but neither snapshots nor what it is asked while it knows no leader.
So the one that leads is asked for first, of all servers at once: one that hangs holds up no other.
"""

import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

import requests
import requests.adapters
import urllib3.exceptions

from heiiki.errors import HeiikiError
from heiiki.pki.server.pinned import Pinned, Server

_PROBE_S = (2.0, 2.0)
"""Seconds to wait for a connection and an answer of a server that is asked whether it leads."""
_ELECTION_S = 10.0
"""Seconds that servers may take to find a new leader: Raft's own time is a second or two."""
_POLL_S = 0.2
_LEADS, _FOLLOWS = requests.codes.ok, requests.codes.accepted
_NOT_DONE = frozenset({requests.codes.temporary_redirect, requests.codes.service_unavailable})
"""Answers of a server that did nothing: it follows and cannot hand the request on, or is sealed."""
LOST = (b"not active", b"leadership lost", b"internal error")
"""What a server says that knows no leader, or that ceases to lead in the middle of a request."""
_GONE = (requests.RequestException, urllib3.exceptions.HTTPError, HeiikiError)
_NEVER = (requests.ConnectTimeout, urllib3.exceptions.NewConnectionError, HeiikiError)
_HARMLESS = frozenset({"GET", "HEAD", "LIST", "DELETE"})


def connections(server: Server, *, repeated: bool = False) -> requests.Session:
    """Return connections that go to `server` and the others of its cluster, and trust the CA of each alone.

    Args:
        server: one, or with the others of its cluster.
        repeated: what is asked may be asked again where it is not known whether it was done.
    """
    session = requests.Session()
    session.trust_env = False  # neither a proxy nor a netrc of the surroundings
    session.mount("https://", _Cluster(server, repeated=repeated) if server.others else Pinned(server))
    return session


class _Cluster(requests.adapters.BaseAdapter):
    """Sends every request to the server that leads."""

    def __init__(self, server: Server, *, repeated: bool) -> None:
        super().__init__()
        self._servers = {one.url: Pinned(one) for one in server.every}
        self._repeated = repeated
        self._leader: str | None = None
        self._patience_s = _ELECTION_S
        self._lock = threading.Lock()

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        """Send a request, and once more where a server that is gone or leads no more has not done it."""
        leader = self._found()
        try:
            answer = self._servers[leader].send(request, **options)
        except _GONE as error:
            self._forget(leader)
            if not self._again(request, error):
                raise
        else:
            if not _is_lost(answer):
                return answer
            answer.content  # noqa: B018  # read to its end, so that its connection is free again
            self._forget(leader)
            if answer.status_code not in _NOT_DONE and not self._again(request):
                return answer
        return self._servers[self._found()].send(request, **options)

    def close(self) -> None:
        """Let the connections go."""
        for one in self._servers.values():
            one.close()

    def _again(self, request: requests.PreparedRequest, error: Exception | None = None) -> bool:
        """Tell whether a request that failed may be sent again."""
        return (
            self._repeated or request.method in _HARMLESS or (error is not None and _never_connected(error))
        )

    def _forget(self, leader: str) -> None:
        with self._lock:
            if self._leader == leader:
                self._leader = None

    def _found(self) -> str:
        """Return the server to ask: the one that leads, or the best there is.

        Raises:
            requests.RequestException: none answers.
        """
        with self._lock:
            if self._leader is None:
                self._leader = self._elected()
            return self._leader

    def _elected(self) -> str:
        """Ask until one leads, as long as some follow: the others elect one within seconds."""
        end = time.monotonic() + self._patience_s
        while True:
            found = self._asked()
            leaders = [url for url, status in found.items() if status == _LEADS]
            if leaders:
                self._patience_s = _ELECTION_S
                return leaders[0]
            followers = [url for url in self._servers if found.get(url) == _FOLLOWS]
            if not followers:
                return next((url for url in self._servers if url in found), next(iter(self._servers)))
            if time.monotonic() > end:
                self._patience_s = 0.0  # waited for once: what comes next is told at once
                return followers[0]
            time.sleep(_POLL_S)

    def _asked(self) -> Mapping[str, int]:
        """Return what the servers say of themselves, no more of them once one says that it leads."""
        found: dict[str, int] = {}
        for url, status in self._answers():
            if status is not None:
                found[url] = status
            if status == _LEADS:
                break
        return found

    def _answers(self) -> Iterator[tuple[str, int | None]]:
        """Ask all servers; return what each says, as it comes."""
        pool = ThreadPoolExecutor(len(self._servers))
        try:
            asked = {pool.submit(self._status, url): url for url in self._servers}
        except RuntimeError:  # the interpreter ends, and starts no thread: the run's token is revoked then
            return ((url, self._status(url)) for url in self._servers)
        finally:
            pool.shutdown(wait=False)
        return ((asked[one], one.result()) for one in as_completed(asked))

    def _status(self, url: str) -> int | None:
        """Return the status of a server's health; None where it does not answer."""
        # Its usual answer, 429, is what a server says whose rate is exceeded, and would be waited for.
        where = f"{url}/v1/sys/health?standbycode={_FOLLOWS}"
        request = requests.Request("GET", where).prepare()
        try:
            answer = self._servers[url].send(request, timeout=_PROBE_S)
            answer.content  # noqa: B018  # read to its end, so that its connection is free again
        except _GONE:
            return None
        return answer.status_code


def _never_connected(error: Exception) -> bool:
    """Tell whether nothing was sent; a connector of the lab says so in an error of its own."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    found = (error, reason)
    return any(isinstance(one, _NEVER) for one in found)


def _is_lost(answer: requests.Response) -> bool:
    """Tell whether a server does not lead, or ceased to: then it may have done what it was asked, or not."""
    if answer.status_code != requests.codes.server_error:
        return answer.status_code in _NOT_DONE
    return any(text in answer.content for text in LOST)
