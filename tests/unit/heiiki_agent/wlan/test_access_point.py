"""What a new list or certificate asks of the access point."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import pytest

from heiiki_agent.errors import AgentError
from heiiki_agent.wlan import access_point, places

OWN, OTHER = "02:00:0a:10:01:74", "02:01:0a:10:01:74"


class Daemon:
    """hostapd with stations, each with how often it was let in; `after` a request is what becomes of them.

    It reads its lists when the last time is a second ago, which is told as "read".
    """

    def __init__(self, before: Mapping[str, int], after: Mapping[str, int], refuses: str = "") -> None:
        self.now, self._after, self.told = dict(before), dict(after), []  # type: ignore[var-annotated]
        self._refuses = refuses

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def ask(self, command: str) -> str:
        self.told.append(command)
        if command.startswith("EAPOL_REAUTH"):
            self.now = dict(self._after)
        return "OK"

    def ordered(self, command: str) -> None:
        self.ask(command)
        if command == self._refuses:
            raise AgentError(f"refuses {command}")

    def stations(self) -> Iterator[tuple[str, Mapping[str, str]]]:
        for address, number in self.now.items():
            yield (
                address,
                {"flags": "[AUTH][ASSOC][AUTHORIZED]", "dot1xAuthBackendAuthSuccesses": str(number)},
            )


@pytest.fixture
def renewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Renew with a daemon that was started with `used`, where `there` is there now."""

    def run(daemon: Daemon, used: str | None = "one", there: str = "one") -> list[str]:
        (tmp_path / "there").write_text(there)
        if used is not None:
            (tmp_path / "used").write_text(used)
        restarted: list[str] = []
        monkeypatch.setattr(places, "CERTIFICATE", tmp_path / "there")
        monkeypatch.setattr(places, "used", lambda _unit: tmp_path / "used")
        monkeypatch.setattr(access_point, "_running", lambda _unit: True)
        monkeypatch.setattr(access_point, "_restart", lambda _unit: restarted.append("restart"))
        monkeypatch.setattr(access_point, "_ANEW_S", 0.05)
        monkeypatch.setattr(
            access_point.time, "sleep", lambda s: daemon.told.append("read") if s > 1 else None
        )
        monkeypatch.setattr(access_point, "connected", lambda _interface, _unit: daemon)
        assert access_point.renew("lan0") == 0
        return [*restarted, *daemon.told]

    return run


def test_a_station_that_is_let_in_anew_stays(renewed: Any) -> None:
    assert renewed(Daemon({OWN: 1}, {OWN: 2})) == ["read", f"EAPOL_REAUTH {OWN}"]


def test_a_station_that_was_refused_is_gone_already(renewed: Any) -> None:
    assert renewed(Daemon({OWN: 1, OTHER: 1}, {OWN: 2})) == [
        "read",
        f"EAPOL_REAUTH {OWN}",
        f"EAPOL_REAUTH {OTHER}",
    ]


def test_a_station_that_does_not_answer_is_thrown_off(renewed: Any) -> None:
    assert renewed(Daemon({OWN: 1, OTHER: 1}, {OWN: 2, OTHER: 1})) == [
        "read",
        f"EAPOL_REAUTH {OWN}",
        f"EAPOL_REAUTH {OTHER}",
        f"DEAUTHENTICATE {OTHER}",
    ]


def test_a_new_certificate_is_taken_up_without_a_new_start(renewed: Any, tmp_path: Path) -> None:
    assert renewed(Daemon({OWN: 1}, {OWN: 2}), there="two") == ["DISABLE", "ENABLE"]
    assert (tmp_path / "used").read_text() == "two"


@pytest.mark.parametrize(("refused", "told"), [("DISABLE", ["DISABLE"]), ("ENABLE", ["DISABLE", "ENABLE"])])
def test_one_that_does_not_go_on_the_air_again_is_started_again(
    renewed: Any, refused: str, told: list[str], tmp_path: Path
) -> None:
    assert renewed(Daemon({OWN: 1}, {OWN: 2}, refused), there="two") == ["restart", *told]
    assert (tmp_path / "used").read_text() == "one", "the start that follows says what it used"


def test_one_that_waits_for_its_first_certificate_is_left_alone(renewed: Any) -> None:
    assert renewed(Daemon({}, {}), used=None) == []
