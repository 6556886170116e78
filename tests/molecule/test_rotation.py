"""CAs are replaced while the service goes on: `make long`."""

import json
from collections.abc import Callable

import pytest
from waiting import awaited

from .service import Service, changed, in_service

pytestmark = pytest.mark.long

Record = Callable[[str, object], None]


def test_the_issuing_ca(service: Service, record_property: Record) -> None:
    before = service.installed()
    with in_service(service) as silence:
        said = service.play("rotate")
    record_property("longest silence, s", round(silence[0], 2))
    assert "3 of 3: no device trusts the old CA any more" in said
    everybody_has_another(service, before)
    assert set(changed(service.play("rotate")).values()) == {0}


def test_the_root_and_a_server_that_is_gone_in_the_middle(service: Service, record_property: Record) -> None:
    before = service.installed()
    with in_service(service) as silence:
        run = service.start("rotate", "-e", "heiiki_authority=root")
        awaited("it has begun", lambda: len(service.status("dras")["anchors"]) == 2, 120)
        service.server_dies()
        said = run.communicate()[0]
        assert run.returncode, said
        assert all(whole for _, whole in service.installed().values())
        service.server_returns()
        said = service.play("rotate", "-e", "heiiki_authority=root")
    record_property("longest silence, s", round(silence[0], 2))
    assert "4 of 4: no device trusts the old CAs any more" in said
    everybody_has_another(service, before)
    assert {len(service.status(name)["anchors"]) for name in before} == {1}
    (evidence,) = (service.artifacts / "rotation").glob("root-*.json")
    assert json.loads(evidence.read_text(encoding="utf-8"))["over"]
    assert set(changed(service.play("rotate", "-e", "heiiki_authority=root")).values()) == {0}


def everybody_has_another(service: Service, before: dict[str, tuple[str, bool]]) -> None:
    after = service.installed()
    assert before.keys() == after.keys()
    assert not [name for name, (_, whole) in after.items() if not whole]
    assert not [name for name, (serial, _) in before.items() if after[name][0] == serial]
