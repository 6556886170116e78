"""What the commands do; for the command line, and for a program that has this one loaded."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from heiiki_agent import config
from heiiki_agent.errors import AgentError
from heiiki_agent.pki import crl, enrol, mirrors, publish, report, vault
from heiiki_agent.pki.settings import Anchors, Order, Reach, Settings
from heiiki_agent.pki.time_limit import limited

REACH_S = 600
INSTALL_S = 45

__all__ = ["AgentError", "answer"]

_Work = Callable[[Settings, str], dict[str, Any]]


def _install(settings: Settings, given: str) -> dict[str, Any]:
    return enrol.install(settings, config.parse(Order, given, "standard input"))


def _anchors(settings: Settings, given: str) -> dict[str, Any]:
    return enrol.install_anchors(settings, config.parse(Anchors, given, "standard input"))


def _reach(settings: Settings, given: str) -> dict[str, Any]:
    asked = config.parse(Reach, given, "standard input")
    return vault.reach([asked.url, *(one.url for one in asked.others)], asked.wait_s, settings.sources)


_COMMANDS: Mapping[str, tuple[int, _Work]] = {
    "request": (INSTALL_S, lambda settings, _: enrol.request(settings)),
    "install": (INSTALL_S, _install),
    "reach": (REACH_S, _reach),
    "anchors": (INSTALL_S, _anchors),
    "load": (3 * INSTALL_S, lambda settings, _: publish.reload(settings, unless_loaded=True)),
    "reload": (3 * INSTALL_S, lambda settings, _: publish.reload(settings)),
    "status": (INSTALL_S, lambda settings, _: report.status(settings)),
    "summary": (INSTALL_S, lambda settings, _: report.summary(settings)),
    "pull": (INSTALL_S, lambda settings, _: crl.pull(settings)),
    "mirrors": (INSTALL_S, lambda settings, _: mirrors.state(settings)),
}


def answer(command: str, file: Path, given: str = "") -> dict[str, Any]:
    """Do what `command` says and return what it prints; `given` is what it reads on standard input.

    For a program that has this one loaded, so that no second interpreter has to start.

    Raises:
        AgentError, OSError, ValueError: it failed, and why.
    """
    seconds, work = _COMMANDS[command]
    settings = config.read(Settings, file)
    with limited(seconds, command):
        return work(settings, given)
