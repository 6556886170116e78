"""CRLs from mirrors: what is taken of them, what is refused, and what stays as it was."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from agent_device import Device
from fake_vault import Authority

from heiiki_agent.crl_mirror import Mirror
from heiiki_agent.errors import ServerError
from heiiki_agent.pki import daemon, mirrors
from heiiki_agent.pki.commands import answer
from heiiki_agent.pki.crl import pull

Serve = Callable[..., None]


@contextmanager
def served(file: Path) -> Iterator[int]:
    with Mirror(file, 0, "127.0.0.1") as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.fixture
def serve(device: Device, tmp_path: Path) -> Iterator[Serve]:
    """An enrolled device with two mirrors; called with what they have, the second as the first."""
    files = [tmp_path / name for name in ("one.pem", "two.pem")]
    with served(files[0]) as first, served(files[1]) as second:
        device.document["revocation"]["mirrors"] = [
            {"address": "127.0.0.1", "port": port, "source": {"address": "127.0.0.1"}}
            for port in (first, second)
        ]
        device.configure()
        device.enrol()
        device.publish_crls(5)
        pull(device.settings)

        def have(*contents: str) -> None:
            for file, content in zip(files, (contents * 2)[:2], strict=True):
                file.write_text(content)

        yield have


def numbers(device: Device) -> dict[str, int]:
    return {one.issuer: one.number for one in device.store.lists()}


def test_a_newer_list_of_a_mirror_is_taken_and_used(device: Device, serve: Serve) -> None:
    told = device.told_times()
    serve(device.root_list + device.fake.issuing.crl(6, [7]))
    done = mirrors.pull(device.settings)
    assert done["changed"] == ["CRL of CN=Test Issuing: number 5 -> 6, 1 revoked"]
    assert (done["refused"], done["answered"]) == ([], ["127.0.0.1"] * 2)
    assert numbers(device) == {"CN=Test Issuing": 6, "CN=Test Root": 1}
    assert device.told_times() == told + 1
    assert mirrors.pull(device.settings)["changed"] == []
    assert device.told_times() == told + 1


def test_the_newest_of_several_mirrors_is_taken(device: Device, serve: Serve) -> None:
    for first, second in ((6, 7), (9, 8)):
        serve(device.fake.issuing.crl(first), device.fake.issuing.crl(second))
        assert mirrors.pull(device.settings)["refused"] == []
        assert numbers(device)["CN=Test Issuing"] == max(first, second)


def test_an_older_list_is_refused(device: Device, serve: Serve) -> None:
    serve(device.fake.issuing.crl(4))
    before = device.store.read("crl.pem")
    done = mirrors.pull(device.settings)
    assert done["refused"] == ["CRL 4 of CN=Test Issuing: is older than number 5, which is here"]
    assert device.store.read("crl.pem") == before
    (first, *_) = mirrors.state(device.settings)["mirrors"].values()
    assert [(one["number"], one["problem"]) for one in first["crls"]] == [(4, "")]
    other = device.fake.issuing.crl(5, [8])
    serve(other)
    (first, *_) = mirrors.state(device.settings)["mirrors"].values()
    assert [one["problem"] for one in first["crls"]] == [
        "has the number of the one that is here, and says something else"
    ]


def forged(device: Device) -> str:
    """A list with a number beyond all others, signed by somebody else under the CA's name."""
    return Authority("Test Issuing", device.fake.root).crl(99)


def broken(device: Device) -> str:
    lines = device.fake.issuing.crl(99).splitlines()
    lines[-2] = lines[-2][:-8] + "AAAAAA" + lines[-2][-2:]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("bad", [forged, broken])
def test_what_the_ca_did_not_sign_hides_no_good_list(
    device: Device, serve: Serve, bad: Callable[[Device], str]
) -> None:
    for good_first in (True, False):
        number = numbers(device)["CN=Test Issuing"] + 1
        contents = (device.fake.issuing.crl(number), bad(device))
        serve(*(contents if good_first else contents[::-1]))
        mirrors.pull(device.settings)
        assert numbers(device)["CN=Test Issuing"] == number


def test_a_mirror_retires_no_ca(device: Device, serve: Serve) -> None:
    new = Authority("Test Issuing 2", device.fake.root)
    device.fake.crls["pki-issuing"]["n"] = (new, new.crl(1))
    pull(device.settings)
    before = device.store.read("issuers.pem")
    serve(device.fake.issuing.crl(6))
    mirrors.pull(device.settings)
    assert device.store.read("issuers.pem") == before
    assert len(numbers(device)) == 3


@pytest.mark.parametrize("content", ["-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"])
def test_what_is_no_list_is_an_error(device: Device, serve: Serve, content: str) -> None:
    serve(content)
    with pytest.raises(ServerError, match=r"/crl.pem: is no CRL: "):
        mirrors.pull(device.settings)


def test_one_mirror_suffices_and_none_is_an_error(device: Device, serve: Serve) -> None:
    serve(device.fake.issuing.crl(6))
    settings = device.settings
    assert settings.revocation is not None
    first, second = settings.revocation.mirrors
    with socket.create_server(("127.0.0.1", 0)) as closed:
        dead = replace(first, port=closed.getsockname()[1])
    alone = replace(settings, revocation=replace(settings.revocation, mirrors=(dead, second)))
    assert mirrors.pull(alone)["changed"]
    none = replace(settings, revocation=replace(settings.revocation, mirrors=(dead,)))
    with pytest.raises(ServerError, match=r"crl.pem: no answer: .*refused"):
        mirrors.pull(none)
    assert "no answer" in mirrors.state(none)["mirrors"]["127.0.0.1"]["problem"]


def test_a_watch_asks_mirrors_when_the_server_is_away_and_says_so(
    device: Device, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    serve(device.fake.issuing.crl(6, [7]))
    watch = daemon.Daemon(device.file, device.folder / "state.json")
    watch.step()
    assert numbers(device)["CN=Test Issuing"] == 5, "the server answers: no mirror is asked"
    device.fake.wrong = "sealed"
    watch.step()
    assert numbers(device)["CN=Test Issuing"] == 6
    assert watch._failures == 1, "that the server is away is no less of a problem"
    assert "unseal it" in watch._complaint
    assert watch._complaint.endswith("; meanwhile the CRLs of 127.0.0.1, 127.0.0.1 are taken")
    serve("")
    watch.step()
    assert numbers(device)["CN=Test Issuing"] == 6
    serve(device.fake.issuing.crl(5))
    watch.step()
    assert "CRL 5 of CN=Test Issuing: is older than number 6, which is here" in caplog.text


def test_the_command_changes_nothing(device: Device, serve: Serve) -> None:
    serve(device.root_list + device.fake.issuing.crl(6))
    before = device.store.read("crl.pem")
    said: dict[str, Any] = answer("mirrors", device.file)
    assert device.store.read("crl.pem") == before
    assert [one["number"] for one in said["crls"]] == [5, 1] or [one["number"] for one in said["crls"]] == [
        1,
        5,
    ]
    for told in said["mirrors"].values():
        assert told["problem"] == ""
        assert {(one["issuer"], one["number"], one["problem"]) for one in told["crls"]} == {
            ("CN=Test Root", 1, ""),
            ("CN=Test Issuing", 6, ""),
        }
