"""Copies for a program that runs as a user of its own."""

import grp
import os
import pwd
import stat
from pathlib import Path

import pytest
from agent_device import Device

from heiiki_agent.errors import AgentError
from heiiki_agent.pki import publish
from heiiki_agent.pki.crl import pull

USER = pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture
def copies(device: Device) -> Path:
    folder = device.folder / "copies"
    device.configure(copies=[{"folder": str(folder), "user": USER}])
    return folder


def test_the_program_finds_key_chain_anchors_and_lists(device: Device, copies: Path) -> None:
    device.enrol()
    device.publish_crls(1)
    pull(device.settings)
    store = device.store
    assert (copies / "key.pem").read_text() == store.read("current/key.pem")
    assert (copies / "certificate.pem").read_text() == (
        store.read("current/certificate.pem") + store.read("current/chain.pem")
    )
    assert (copies / "trust.pem").read_text() == "".join(one.pem for one in store.authorities())
    assert (copies / "crl.pem").read_text() == store.read("crl.pem") != ""
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in copies.iterdir()}
    assert modes == {"key.pem": 0o440, "certificate.pem": 0o644, "trust.pem": 0o644, "crl.pem": 0o644}
    group = grp.getgrgid((copies / "key.pem").stat().st_gid).gr_gid
    assert group == pwd.getpwnam(USER).pw_gid


def test_a_copy_that_others_could_read_is_put_right(device: Device, copies: Path) -> None:
    device.enrol()
    publish.reload(device.settings)
    key, trust = copies / "key.pem", copies / "trust.pem"
    before = trust.stat().st_mtime_ns
    key.chmod(0o644)
    publish.reload(device.settings)
    assert stat.S_IMODE(key.stat().st_mode) == 0o440
    assert trust.stat().st_mtime_ns == before, "what is right is not written"


def test_who_was_told_is_not_told_again_unless_that_is_asked_for(device: Device) -> None:
    device.configure(listeners=[["sh", "-c", f"echo told >> {device.folder}/heard"]])
    device.enrol()
    (device.folder / "heard").unlink(missing_ok=True)
    (device.store.folder / "loaded").unlink(missing_ok=True)
    assert [publish.reload(device.settings, unless_loaded=True)["told"] for _ in range(2)] == [True, False]
    assert publish.reload(device.settings)["told"]
    assert (device.folder / "heard").read_text() == "told\n" * 2


def test_a_renewed_device_hands_over_the_new_pair(device: Device, copies: Path) -> None:
    device.enrol()
    publish.reload(device.settings)
    before = (copies / "key.pem").read_text()
    device.enrol()
    publish.reload(device.settings)
    assert (copies / "key.pem").read_text() == device.store.read("current/key.pem") != before


def test_without_the_account_it_is_told_what_to_do(device: Device) -> None:
    device.configure(copies=[{"folder": str(device.folder / "copies"), "user": "no-such-account"}])
    device.enrol()
    with pytest.raises(AgentError, match=r"there is no account no-such-account: apply the device's role"):
        publish.reload(device.settings)


def test_a_program_that_reads_no_list_has_the_serial_numbers_and_one_file_of_cas_and_lists(
    device: Device,
) -> None:
    folder = device.folder / "copies"
    device.configure(copies=[{"folder": str(folder), "user": USER, "plain": True}])
    device.enrol()
    device.publish_crls(1, 0x0ABC, 0xF00)
    pull(device.settings)
    texts = {name: (folder / f"{name}.pem").read_text() for name in ("verify", "trust", "crl")}
    assert texts["verify"] == texts["trust"] + texts["crl"]
    lines = (folder / "revoked.txt").read_text().splitlines()
    assert lines == ["# serial numbers of revoked certificates", "abc", "f00"]


def test_listeners_are_told_of_lists_that_strongswan_takes_by_itself(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = device.folder / "listened"
    device.configure(listeners=[["sh", "-c", f"echo told >> {told}"]], associations=True)
    device.publish_crls(1)
    device.enrol()
    publish.reload(device.settings)
    pull(device.settings)
    users, heard = device.told_times(), len(told.read_text().splitlines())
    monkeypatch.setattr("heiiki_agent.pki.newer_lists.taken", lambda _: True)
    device.publish_crls(2, 0x0ABC)
    pull(device.settings)
    assert (device.told_times(), len(told.read_text().splitlines())) == (users, heard + 1)
