"""The operator's socket of a service program: whose it is, and how a refusal is said."""

import asyncio
import stat
from pathlib import Path

import pytest
from aiohttp import ClientSession, UnixConnector, web

from heiiki_agent.errors import AgentError
from heiiki_agent.operator_socket import OperatorSocket


class TakenError(AgentError):
    """Something stands already."""


async def _refuse(request: web.Request) -> web.Response:
    kinds = {"wrong": AgentError, "taken": TakenError}
    raise kinds[request.match_info["what"]](f"{request.match_info['what']}: say something else")


async def _asked(folder: Path, what: str, conflict: tuple[type[AgentError], ...]) -> tuple[int, str, int]:
    """Return status and text of an answer, and the mode of the socket."""
    served = OperatorSocket((web.get("/{what}", _refuse),), conflict=conflict)
    path = folder / "control"
    await served.open(path)
    try:
        async with (
            ClientSession(connector=UnixConnector(str(path))) as session,
            session.get(f"http://here/{what}") as answer,
        ):
            return answer.status, await answer.text(), stat.S_IMODE(path.stat().st_mode)
    finally:
        await served.close()


@pytest.mark.parametrize(
    ("what", "conflict", "status"),
    [("wrong", (), 400), ("taken", (), 400), ("wrong", (TakenError,), 400), ("taken", (TakenError,), 409)],
)
def test_its_owner_alone_may_open_it_and_a_refusal_is_a_sentence(
    tmp_path: Path, what: str, conflict: type[AgentError] | None, status: int
) -> None:
    assert asyncio.run(_asked(tmp_path, what, conflict)) == (status, f"{what}: say something else", 0o600)
