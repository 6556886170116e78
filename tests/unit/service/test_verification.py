"""The use case verify: one run at a time in a folder of artifacts."""

import os
from pathlib import Path

import pytest

from heiiki.errors import FolderError, LabError
from heiiki.output import OwnedFolder
from heiiki.plan.model import Plan
from heiiki.service import Service, verification


class Unreachable:
    """A network whose devices nothing leads to."""

    def transport(self, *_: object) -> None:
        raise LabError("the network was asked for")


@pytest.fixture
def service(lab_plan: Plan, lab_inventory: Path, monkeypatch: pytest.MonkeyPatch) -> Service:
    monkeypatch.setattr(Service, "management", Unreachable())
    return Service(lab_inventory, lab_plan)


def verify(service: Service, artifacts: Path) -> None:
    verification.verify(service, artifacts, faults=False, report=lambda _line: None)


def test_a_second_run_is_refused_before_it_asks_any_device(service: Service, tmp_path: Path) -> None:
    with OwnedFolder(tmp_path).alone(), pytest.raises(FolderError) as caught:
        verify(service, tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: another run (process {os.getpid()}) is at work in it; "
        "wait until it ends, then run again"
    )


def test_a_run_that_failed_holds_up_no_other(service: Service, tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(LabError, match="the network was asked for"):
            verify(service, tmp_path)


def test_two_folders_do_not_hold_each_other_up(service: Service, tmp_path: Path) -> None:
    with OwnedFolder(tmp_path / "a").alone(), pytest.raises(LabError):
        verify(service, tmp_path / "b")


def test_a_vault_server_that_was_started_again_is_unsealed(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr(Service, "vault", lambda _self, step: step)
    monkeypatch.setattr(verification, "unseal", done.append)
    restart = verification._restarting(service, verification.TestEquipment(restart=done.append))
    assert restart is not None
    restart("a-p1")
    restart("vault")
    assert done == ["a-p1", "vault", "unsealing the Vault server that was started again"]


def test_where_nothing_may_be_failed_nothing_is_started(service: Service) -> None:
    assert verification._restarting(service, verification.TestEquipment()) is None
