"""The engine with the platforms' own rules, on every simulated device: there, there again, and back."""

from dataclasses import replace

from fleet_devices import Device, means, run
from simulated_devices import intended

from heiiki.fleet import engine
from heiiki.fleet.comparing import ByRules
from heiiki.fleet.model import Outcome, Result


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
