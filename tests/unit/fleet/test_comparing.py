"""The engine with the platforms' own rules, on every simulated device: there, there again, and back."""

from dataclasses import replace

import pytest
from fleet_devices import Device, Make, means, run
from simulated_devices import intended

from heiiki.fleet import engine
from heiiki.fleet.comparing import ByRules, OfService
from heiiki.fleet.model import Comparison, Outcome, Result
from heiiki.platforms import Platform


def pushed(device: Device, text: str) -> Result:
    target = replace(device.target, intended=text)
    (result,) = run(engine.push([target], replace(means(device), comparer=ByRules)))
    return result


def test_a_device_is_brought_to_what_is_intended_and_back(device: Device) -> None:
    before, wanted = device.running(), intended(device.platform, device.target.name)
    first = pushed(device, wanted)
    assert (first.outcome, first.reason) == (Outcome.CHANGED, "")
    rules = ByRules(device.platform)
    assert rules.compare(device.running(), wanted).lines == ()
    assert pushed(device, wanted).outcome is Outcome.UNCHANGED
    back = pushed(device, before)
    assert (back.outcome, back.reason) == (Outcome.CHANGED, "")
    assert rules.compare(device.running(), before).lines == ()


def test_what_a_device_never_shows_goes_with_a_change_and_makes_none() -> None:
    rules, user = (
        ByRules("cisco_iosxe"),
        "snmp-server user reader GROUP v3 auth sha SECRET priv aes 128 SECRET",
    )
    assert rules.compare("hostname a\n", f"hostname a\n{user}\n").lines == ()
    found = rules.compare("hostname a\n", f"hostname b\n{user}\n")
    assert found.lines == ("hostname b", user)
    assert "SECRET" not in found.diff


def test_the_same_text_is_compared_once(make: Make) -> None:
    device = make("cisco_iosxe")
    compared: list[str] = []

    class Noting(ByRules):
        def compare(self, running: str, intended: str) -> Comparison:
            compared.append(running)
            return super().compare(running, intended)

    target = replace(device.target, intended=intended(device.platform, device.target.name))
    (result,) = run(engine.push([target], replace(means(device), comparer=Noting)))
    assert result.outcome is Outcome.CHANGED
    assert len(compared) == len(set(compared)) > 1


HAS = "hostname a\nusername ops secret 9 HASH\narchive\n path flash:archive\nntp server 192.0.2.1\n"
"""A configuration with what is the device's own in the midst of it."""


def test_text_that_differs_by_what_is_the_devices_own_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(Platform, "read", read)
    found = OfService("cisco_iosxe").compare(f"! a comment\n{HAS}end\n", "hostname a\nntp server 192.0.2.1\n")
    assert (found.lines, found.diff) == ((), "")


@pytest.mark.parametrize(
    ("intended", "lines"),
    [
        ("hostname a\nntp server 192.0.2.9\n", ("no ntp server 192.0.2.1", "ntp server 192.0.2.9")),
        ("hostname a\n", ("no ntp server 192.0.2.1",)),
        ("hostname a\narchive\n path flash:other\n", ("no ntp server 192.0.2.1",)),
    ],
)
def test_what_differs_is_found_and_what_is_the_devices_own_stays(
    intended: str, lines: tuple[str, ...]
) -> None:
    assert OfService("cisco_iosxe").compare(HAS, intended).lines == lines
