"""CRLs: newer ones, forged ones, those of other CAs; ways to the server."""

import errno
import json
import os
import socket
from dataclasses import replace

import pytest
from agent_device import Device
from fake_vault import Authority

from heiiki_agent.errors import AgentError
from heiiki_agent.pki import publish, vault
from heiiki_agent.pki.crl import Bare, pull
from heiiki_agent.pki.report import status
from heiiki_agent.pki.settings import Source


def test_a_newer_crl_is_taken_and_an_older_one_refused(device: Device) -> None:
    device.enrol()
    serial = int(status(device.settings)["certificate"]["serial"].replace(":", ""), 16)
    device.publish_crls(5)
    pull(device.settings)
    assert not status(device.settings)["certificate"]["revoked"]
    device.publish_crls(6, serial)
    assert pull(device.settings)["changed"] == ["CRL of CN=Test Issuing: number 5 -> 6, 1 revoked"]
    assert status(device.settings)["certificate"]["revoked"]
    assert device.told_times() == 2
    assert pull(device.settings) == {"changed": [], "refused": []}
    assert device.told_times() == 2
    device.publish_crls(4)
    assert pull(device.settings)["refused"] == [
        "CRL 4 of CN=Test Issuing: is older than number 6, which is here"
    ]
    assert status(device.settings)["certificate"]["revoked"]
    assert len(list((device.folder / "swanctl/x509crl").iterdir())) == 2


def test_a_crl_that_the_ca_did_not_sign_is_refused(device: Device) -> None:
    device.enrol()
    device.publish_crls(1)
    pull(device.settings)
    genuine = device.fake.issuing.crl(9)
    broken = genuine.splitlines()
    broken[-2] = broken[-2][:-8] + "AAAAAA" + broken[-2][-2:]
    device.fake.crls["pki-issuing"] = {"i": (device.fake.issuing, "\n".join(broken) + "\n")}
    (refused,) = pull(device.settings)["refused"]
    assert refused == "CRL 9 of CN=Test Issuing: its signature is not the CA's"
    assert {item.number for item in device.store.lists()} == {1}
    device.fake.crls["pki-issuing"] = {"i": (device.fake.issuing, genuine)}
    assert pull(device.settings)["changed"] == ["CRL of CN=Test Issuing: number 1 -> 9, 0 revoked"]


def test_a_crl_of_a_foreign_ca_is_refused(device: Device) -> None:
    device.enrol()
    device.publish_crls(1)
    foreign = Authority("Foreign", Authority("Foreign Root"))
    device.fake.crls["pki-issuing"]["f"] = (foreign, foreign.crl(3))
    done = pull(device.settings)
    assert len(done["changed"]) == 2
    (refused,) = done["refused"]
    assert refused.startswith("CRL 3 of CN=Foreign: its CA does not verify against the trust anchors: ")


def test_the_crl_of_a_new_issuing_ca_is_learned_with_its_certificate(device: Device) -> None:
    device.enrol()
    device.publish_crls(1)
    new = Authority("Test Issuing", device.fake.root)
    device.fake.crls["pki-issuing"]["n"] = (new, new.crl(1))
    assert pull(device.settings)["changed"][1:] == [
        "CRL of CN=Test Issuing: number none -> 1, 0 revoked",
        "CRL of CN=Test Root: number none -> 1, 0 revoked",
    ]
    assert len(device.store.lists()) == 3
    assert len(list((device.folder / "swanctl/x509ca").iterdir())) == 3
    assert pull(device.settings) == {"changed": [], "refused": []}
    told = device.told_times()
    del device.fake.crls["pki-issuing"]["n"]
    pull(device.settings)
    assert len(device.store.lists()) == 2, "a CA that was retired takes its CRL along"
    assert len(list((device.folder / "swanctl/x509ca").iterdir())) == 2
    assert device.told_times() == told + 1


def test_peers_of_the_old_issuing_ca_are_verified_after_the_renewal_by_the_new_one(device: Device) -> None:
    device.enrol()
    device.publish_crls(1)
    pull(device.settings)
    old, new = device.fake.issuing, Authority("Test Issuing 2", device.fake.root)
    device.fake.signer = new
    device.fake.crls["pki-issuing"]["n"] = (new, new.crl(1))
    device.enrol()
    publish.reload(device.settings)
    for _ in range(2):
        lists = {item.issuer for item in device.store.lists()}
        assert f"CN={old.name}" in lists
        files = [path.read_text() for path in (device.folder / "swanctl/x509ca").iterdir()]
        assert {old.pem, new.pem, device.fake.root.pem} == set(files)
        pull(device.settings)
    assert len(device.store.lists()) == 3


def test_a_pull_before_enrolment_says_so(device: Device) -> None:
    with pytest.raises(AgentError, match=r"roots.pem: is missing: enrol the device first$"):
        pull(device.settings)


def test_a_device_without_revocation_pulls_nothing(device: Device) -> None:
    device.enrol()
    with pytest.raises(AgentError, match=r"^gw: has no `revocation` in its configuration: it pulls no CRLs$"):
        pull(replace(device.settings, revocation=None))


@pytest.mark.parametrize("missing", [errno.ENETUNREACH, errno.EHOSTUNREACH])
def test_a_route_that_is_gone_for_a_moment_costs_no_token(
    device: Device, monkeypatch: pytest.MonkeyPatch, missing: int
) -> None:
    connect, tried = vault._Connection._plain, []

    def flapping(connection: vault._Connection, source: Source | None) -> socket.socket:
        tried.append(missing)
        if len(tried) == 1:
            raise OSError(missing, os.strerror(missing))
        return connect(connection, source)

    monkeypatch.setattr(vault._Connection, "_plain", flapping)
    monkeypatch.setattr(vault, "REACH_POLL_S", 0.01)
    device.enrol()
    assert device.store.current() is not None
    assert len(tried) == 2


def test_connections_come_from_the_address_that_leads_there(device: Device) -> None:
    device.configure(sources=[{"address": "192.0.2.1"}, {"address": "127.0.0.9"}])
    device.enrol()
    assert {peer[0] for peer in device.fake.peers} == {"127.0.0.9"}


def test_a_connection_leaves_by_the_interface_of_its_address(device: Device) -> None:
    missing, there = ({"address": "127.0.0.8", "interface": name} for name in ("gone0", "lo"))
    device.configure(sources=[missing, there | {"address": "127.0.0.9"}])
    device.enrol()
    assert {peer[0] for peer in device.fake.peers} == {"127.0.0.9"}


def test_a_network_that_carries_no_handshake_does_not_hide_the_other(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vault, "CONNECT_S", 1.0)
    device.fake.unheard = frozenset({"127.0.0.8"})
    device.configure(sources=[{"address": "127.0.0.8"}, {"address": "127.0.0.9"}])
    device.enrol()
    device.publish_crls(7)
    assert pull(device.settings)["refused"] == []
    assert {peer[0] for peer in device.fake.peers} == {"127.0.0.9"}


def test_a_way_to_the_server_is_waited_for(device: Device) -> None:
    assert vault.reach([device.fake.url], 5)["waited_s"] < 5
    assert device.fake.asked == []
    done = device.run("reach", json.dumps({"url": "https://127.0.0.1:1", "wait_s": 0}))
    assert done.returncode == 3
    assert done.stderr.startswith("https://127.0.0.1:1: no way to it within 0 s: ")


def test_a_list_with_the_number_of_the_one_that_is_here_and_other_content_is_refused(device: Device) -> None:
    device.enrol()
    device.publish_crls(3, 0x77)
    pull(device.settings)
    assert pull(device.settings) == {"changed": [], "refused": []}
    device.publish_crls(3)
    done = pull(device.settings)
    assert done["changed"] == []
    assert done["refused"][0] == (
        "CRL 3 of CN=Test Issuing: has the number of the one that is here, and says something else"
    )
    assert [one.serials for one in device.store.lists() if one.issuer == "CN=Test Issuing"] == [("77",)]


@pytest.mark.parametrize("status", ["none", "broken"])
def test_a_ca_whose_list_the_server_does_not_give_at_the_moment_is_not_forgotten(
    device: Device, status: str
) -> None:
    """In the middle of a rotation its peers would be refused; one that the server no longer has is."""
    device.enrol()
    device.publish_crls(1)
    pull(device.settings)
    successor = Authority("Next Issuing", device.fake.root)
    device.fake.crls["pki-issuing"]["n"] = (successor, successor.crl(1))
    pull(device.settings)
    device.fake.wrong, device.fake.at = status, "/issuer/n/crl"
    assert pull(device.settings) == {"changed": [], "refused": []}
    assert "CN=Next Issuing" in {one.issuer for one in device.store.lists()}
    device.fake.wrong = ""
    del device.fake.crls["pki-issuing"]["n"]
    pull(device.settings)
    assert "CN=Next Issuing" not in {one.issuer for one in device.store.lists()}


def asked_of(device: Device, name: str) -> list[str]:
    """What was asked of one CA since the last time, in order."""
    place = f"/v1/pki-issuing/issuer/{name}/"
    paths = [path.removeprefix(place) for _, path, _ in device.fake.asked if path.startswith(place)]
    device.fake.asked.clear()
    return paths


def test_a_certificate_without_a_list_is_asked_for_once(device: Device) -> None:
    """The engine of the issuing CA holds the root's certificate; the root's list is in another engine."""
    device.enrol()
    device.publish_crls(1)
    device.fake.crls["pki-issuing"]["r"] = (device.fake.root, "")
    bare: Bare = {}
    pull(device.settings, bare)
    assert asked_of(device, "r") == ["crl/pem", "pem"]
    device.publish_crls(2)
    device.fake.crls["pki-issuing"]["r"] = (device.fake.root, "")
    done = pull(device.settings, bare)
    assert done["changed"] == ["CRL of CN=Test Issuing: number 1 -> 2, 0 revoked"]
    assert asked_of(device, "r") == []
    assert len(device.store.lists()) == 2


def test_a_ca_that_gives_no_list_at_the_moment_is_asked_each_time(device: Device) -> None:
    device.enrol()
    device.publish_crls(1)
    other = Authority("Test Issuing", device.fake.root)
    device.fake.crls["pki-issuing"]["o"] = (other, other.crl(1))
    bare: Bare = {}
    pull(device.settings, bare)
    device.fake.crls["pki-issuing"]["o"] = (other, "")
    for _ in range(3):
        asked_of(device, "o")
        pull(device.settings, bare)
        assert asked_of(device, "o") == ["crl/pem", "pem"]
    serial = 77
    device.fake.crls["pki-issuing"]["o"] = (other, other.crl(2, (serial,)))
    assert pull(device.settings, bare)["changed"] == ["CRL of CN=Test Issuing: number 1 -> 2, 1 revoked"]


def test_a_ca_that_came_or_went_is_noticed_at_once_by_the_watch(device: Device) -> None:
    device.enrol()
    device.publish_crls(1)
    device.fake.crls["pki-issuing"]["r"] = (device.fake.root, "")
    bare: Bare = {}
    pull(device.settings, bare)
    new = Authority("Test Issuing", device.fake.root)
    device.fake.crls["pki-issuing"]["n"] = (new, new.crl(1))
    pull(device.settings, bare)
    assert len(device.store.lists()) == 3
    del device.fake.crls["pki-issuing"]["n"]
    pull(device.settings, bare)
    assert len(device.store.lists()) == 2


def test_after_an_error_everything_is_asked_for(device: Device) -> None:
    device.enrol()
    device.publish_crls(1)
    device.fake.crls["pki-issuing"]["r"] = (device.fake.root, "")
    bare: Bare = {}
    pull(device.settings, bare)
    kept = device.fake.crls["pki-root"]
    device.fake.crls["pki-root"] = {}
    with pytest.raises(AgentError, match="none of its 0 CAs has a CRL"):
        pull(device.settings, bare)
    assert bare == {}
    device.fake.crls["pki-root"] = kept
    asked_of(device, "r")
    pull(device.settings, bare)
    assert asked_of(device, "r") == ["crl/pem", "pem"]
