"""What the XMPP server is sent."""

import json
import re
from pathlib import Path

import pytest

from heiiki.intent import load
from heiiki.plan import build
from heiiki.render import DeviceBuild, compile_plan
from heiiki_agent import config
from heiiki_agent.xmpp.prove import Settings

EXAMPLE = Path(__file__).parents[3] / "inventories" / "lab"
MODULE = "/usr/local/lib/heiiki/prosody/mod_auth_heiiki.lua"


@pytest.fixture(scope="module")
def sent() -> DeviceBuild:
    return next(one for one in compile_plan(build(load(EXAMPLE))) if one.device == "xmpp")


def test_no_other_device_is_sent_any_of_it() -> None:
    has = [one.device for one in compile_plan(build(load(EXAMPLE))) if MODULE in one.contents]
    assert has == ["xmpp"]


def test_each_option_that_the_module_asks_for_is_set(sent: DeviceBuild) -> None:
    asked = set(re.findall(r'get_option\w*\("(\w+)"', sent.contents[MODULE]))
    text = sent.contents["/etc/prosody/prosody.cfg.lua"]
    assert asked == set(re.findall(r"^ *(heiiki_\w+) =", text, re.MULTILINE))


def test_the_provider_is_the_last_thing_that_the_module_registers(sent: DeviceBuild) -> None:
    """A module that fails before that provides nothing, and after that every rule of it is registered."""
    text = sent.contents[MODULE]
    registered = [
        at.start() for at in re.finditer(r"^module:(hook|hook_global|add_timer)\(", text, re.MULTILINE)
    ]
    assert len(registered) == 4
    assert max(registered) < text.index("\nmodule:provides(")


def test_the_daemon_loads_from_nowhere_but_its_package_and_ours(sent: DeviceBuild) -> None:
    text = sent.contents["/etc/prosody/prosody.cfg.lua"]
    folders = re.findall(r'^(?:plugin_paths|installer_plugin_path) = \{? ?"([^"]+)"', text, re.MULTILINE)
    assert folders == [str(Path(MODULE).parent)] * 2
    assert "Include" not in text


def test_the_proof_is_run_at_every_start_and_reload_and_is_the_health_check(sent: DeviceBuild) -> None:
    (service,) = (one for one in sent.services if one.name == "prosody")
    unit = sent.contents["/etc/systemd/system/prosody.service.d/heiiki.conf"]
    proof = f"/usr/bin/{' '.join(service.health)}"
    assert f"ExecStartPost={proof}\n" in unit
    reloads = re.findall(r"^ExecReload=(.*)$", unit, re.MULTILINE)
    assert reloads == ["", "/bin/kill -HUP $MAINPID", proof]


def test_one_more_device_ends_no_session(sent: DeviceBuild) -> None:
    """A change of the list is read by a reload; what is read at the start alone has a restart."""
    (service,) = (one for one in sent.services if one.name == "prosody")
    noticed = {file.path for file in sent.files if file.service == "prosody"}
    assert service.on_change == "reload"
    assert noticed - set(service.restart_on) == {"/etc/heiiki/xmpp_devices.txt"}
    names_a_device = [path for path in noticed if "umeda-bems" in sent.contents[path]]
    assert names_a_device == ["/etc/heiiki/xmpp_devices.txt"]


def test_the_proof_tries_a_device_and_dras_as_neither(sent: DeviceBuild) -> None:
    text = sent.contents["/etc/heiiki/xmpp.json"]
    read = config.parse(Settings, text, "xmpp.json")
    own = json.loads(sent.contents["/etc/heiiki/credentials.json"])
    assert [read.jid] == own["jids"]
    assert read.dras == "dras@lab.internal"
    devices = sent.contents[str(read.devices)].split()
    assert devices == ["umeda-bems@lab.internal", "namba-erc@lab.internal", "sakai-bems@lab.internal"]
    assert str(read.credentials) == own["copies"][0]["folder"]
