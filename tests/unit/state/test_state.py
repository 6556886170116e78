"""State is kept for each service, and for one folder of it; the layout before is found and moved."""

import json
import logging
import os
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from heiiki import state
from heiiki.errors import StateError
from heiiki.state import FileSecrets, of_service


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HEIIKI_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


def service(folder: Path, name: str = "probe") -> Path:
    folder.mkdir(parents=True)
    (folder / "service.yml").write_text(f"service: {name}\n")
    return folder


def a_ca(name: str) -> str:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), 1, now, now + timedelta(days=1))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def test_the_place_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("HEIIKI_STATE", raising=False)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert state.root() == tmp_path / ".local/state/heiiki"
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    assert state.root() == tmp_path / "xdg/heiiki"
    monkeypatch.setenv("HEIIKI_STATE", str(tmp_path / "own"))
    assert state.root() == tmp_path / "own"


def test_two_services_do_not_share_a_ca(root: Path, tmp_path: Path) -> None:
    one, two = (of_service(name, service(tmp_path / name, name)) for name in ("one", "two"))
    one.secrets.write("vault/ca", {"pem": "first"})
    two.secrets.write("vault/ca", {"pem": "second"})
    assert one.secrets.read("vault/ca", "pem") == "first"
    assert {one.folder, two.folder} == {root / "services/one", root / "services/two"}
    assert stat.S_IMODE(one.folder.stat().st_mode) == 0o700


def test_a_second_folder_with_the_same_name_is_refused(root: Path, tmp_path: Path) -> None:
    first, second = service(tmp_path / "first"), service(tmp_path / "second")
    assert of_service("probe", first) == of_service("probe", first)
    with pytest.raises(StateError) as caught:
        of_service("probe", second)
    assert str(caught.value) == (
        f"{second}: service `probe` of {first} keeps its CA and its log-ins in {root}/services/probe "
        "already: give one of the two another name (service.yml), set HEIIKI_STATE to another folder, or, if "
        f"it is the same network, run `heiiki state {second} --take-over`"
    )
    of_service("probe", second, take_over=True)
    with pytest.raises(StateError, match="--take-over"):
        of_service("probe", first)


def test_the_same_folder_under_another_path_is_the_same(root: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(service(tmp_path / "first"))
    assert of_service("probe", tmp_path / "first") == of_service("probe", tmp_path / "link")


@pytest.mark.parametrize("left", ["nothing", "an empty folder", "another service"])
def test_a_service_that_was_moved_takes_its_state_along(root: Path, tmp_path: Path, left: str) -> None:
    first = service(tmp_path / "first")
    of_service("probe", first).secrets.write("vault/ca", {"pem": "kept"})
    (first / "service.yml").unlink()
    if left == "nothing":
        first.rmdir()
    elif left == "another service":
        (first / "service.yml").write_text("service: probe2\n")
    second = service(tmp_path / "second")
    assert of_service("probe", second).secrets.read("vault/ca", "pem") == "kept"


@pytest.mark.parametrize("line", ["service: probe", 'service: "probe"', "service:   'probe'  # comment"])
def test_a_service_is_known_however_its_name_is_written(root: Path, tmp_path: Path, line: str) -> None:
    first = service(tmp_path / "first")
    of_service("probe", first)
    (first / "service.yml").write_text(f"# comment\n{line}\n")
    with pytest.raises(StateError, match="already"):
        of_service("probe", service(tmp_path / "second"))


@pytest.mark.parametrize("name", ["Heiiki probe root CA 1", "vault.probe.internal", None])
def test_old_state_is_moved_with_a_line_that_says_so(
    root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str | None
) -> None:
    FileSecrets(root).write("sim/1", {"k": "00"})
    if name:
        FileSecrets(root).write("vault/ca", {"pem": a_ca(name)})
    folder = service(tmp_path / "first")
    assert of_service("probe", folder).secrets.read("sim/1", "k") == "00"
    assert caplog.record_tuples == [
        (
            "heiiki.state",
            logging.WARNING,
            f"{root}/secrets: moved to {root}/services/probe/secrets: state is kept per service now",
        )
    ]
    caplog.clear()
    of_service("probe", folder)
    assert caplog.record_tuples == []


@pytest.mark.parametrize("name", ["Heiiki other root CA 1", "Heiiki probe2 root CA 1", "vault.pro.internal"])
def test_old_state_of_another_service_stays(
    root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    FileSecrets(root).write("vault/ca", {"pem": a_ca(name)})
    assert not of_service("probe", service(tmp_path / "first")).secrets.has("vault/ca")
    assert FileSecrets(root).has("vault/ca")
    assert "its CA is not that of service probe" in caplog.text


def test_old_state_of_a_lab_that_is_up_stays(
    root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    FileSecrets(root).write("vault/ca", {"pem": a_ca("Heiiki probe root CA 1")})
    first, copy = service(tmp_path / "first"), service(tmp_path / "copy")
    (root / "service-folder").write_text(str(first))
    assert not of_service("probe", copy).secrets.has("vault/ca")
    assert f"the lab of {first} is up with it" in caplog.text
    assert of_service("probe", first, take_over=True).secrets.has("vault/ca")


def test_old_state_never_takes_the_place_of_new(root: Path, tmp_path: Path) -> None:
    folder = service(tmp_path / "first")
    of_service("probe", folder).secrets.write("vault/ca", {"pem": "new"})
    FileSecrets(root).write("vault/ca", {"pem": a_ca("Heiiki probe root CA 1")})
    assert of_service("probe", folder).secrets.read("vault/ca", "pem") == "new"


def test_what_does_not_say_whose_it_is_is_named(root: Path, tmp_path: Path) -> None:
    folder = service(tmp_path / "first")
    place = of_service("probe", folder).folder
    (place / "service.json").write_text("{}")
    with pytest.raises(StateError, match=r"service\.json does not say whose state this is"):
        of_service("probe", folder)


def test_a_state_folder_that_is_a_file_is_named(root: Path, tmp_path: Path) -> None:
    root.write_text("")
    with pytest.raises(StateError, match=r"HEIIKI_STATE names the state folder"):
        of_service("probe", service(tmp_path / "first"))


def test_owners_lists_what_there_is(root: Path, tmp_path: Path) -> None:
    assert state.owners() == {}
    folder = service(tmp_path / "first")
    place = of_service("probe", folder).folder
    assert state.owners() == {place: folder}
    assert json.loads((root / "services/probe/service.json").read_text())["service"] == "probe"


def test_processes_that_begin_at_once_agree(root: Path, tmp_path: Path) -> None:
    FileSecrets(root).write("vault/ca", {"pem": a_ca("Heiiki probe root CA 1")})
    folder = service(tmp_path / "first")
    source = "import sys, pathlib, heiiki.state as s; s.of_service('probe', pathlib.Path(sys.argv[1]))"
    running = [subprocess.Popen([sys.executable, "-c", source, folder], env=os.environ) for _ in range(6)]
    assert [one.wait() for one in running] == [0] * 6
    assert of_service("probe", folder).secrets.has("vault/ca")
    assert not (root / "secrets").exists()
