"""Secrets of the controller: written once, readable by their owner alone, and never half."""

import stat
from pathlib import Path

import pytest

from heiiki.errors import SecretError
from heiiki.state import FileSecrets

SIM = "sim/440100000000017"


def test_of_two_that_create_a_secret_the_first_wins(tmp_path: Path) -> None:
    source = FileSecrets(tmp_path)
    assert source.create(SIM, {"k": "00", "opc": "11"})
    assert not source.create(SIM, {"k": "22", "opc": "33"})
    assert source.fields(SIM) == {"k": "00", "opc": "11"}


def test_other_users_cannot_read_them(tmp_path: Path) -> None:
    FileSecrets(tmp_path).create(SIM, {"k": "00"})
    file = tmp_path / "secrets" / f"{SIM}.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert list(file.parent.iterdir()) == [file]


def test_the_folders_show_no_names_either(tmp_path: Path) -> None:
    FileSecrets(tmp_path / "state").create(SIM, {"k": "00"})
    for folder in ("state", "state/secrets", "state/secrets/sim"):
        assert stat.S_IMODE((tmp_path / folder).stat().st_mode) == 0o700


@pytest.mark.parametrize("text", [None, "", "[]", "{}", '"k"', "{"])
def test_what_cannot_be_read_says_where_and_what_to_do(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        file = tmp_path / "secrets" / f"{SIM}.json"
        file.parent.mkdir(parents=True)
        file.write_text(text)
        file.chmod(0o600)
    with pytest.raises(SecretError) as caught:
        FileSecrets(tmp_path).read(SIM, "k")
    assert str(caught.value) == f"secret {SIM}: k cannot be read from {tmp_path}/secrets"


def test_what_is_written_takes_the_place_of_what_was_there(tmp_path: Path) -> None:
    source = FileSecrets(tmp_path)
    assert not source.has("vault/init")
    source.write("vault/init", {"key-1": "one", "threshold": "1"})
    source.write("vault/init", {"key-1": "two"})
    assert source.has("vault/init")
    assert source.fields("vault/init") == {"key-1": "two"}
    file = tmp_path / "secrets/vault/init.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("text", [None, "", "[1]", "{"])
def test_fields_that_cannot_be_read_say_where(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        file = tmp_path / "secrets" / f"{SIM}.json"
        file.parent.mkdir(parents=True)
        file.write_text(text)
        file.chmod(0o600)
    with pytest.raises(SecretError) as caught:
        FileSecrets(tmp_path).fields(SIM)
    assert str(caught.value) == f"secret {SIM} cannot be read from {tmp_path}/secrets"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o620, 0o602])
def test_a_secret_that_others_could_read_or_write_is_refused(tmp_path: Path, mode: int) -> None:
    source = FileSecrets(tmp_path)
    source.create(SIM, {"k": "00"})
    file = tmp_path / "secrets" / f"{SIM}.json"
    file.chmod(mode)
    for read in (lambda: source.read(SIM, "k"), lambda: source.fields(SIM)):
        with pytest.raises(
            SecretError, match=rf"is {mode:04o} of user \d+, so others may have read"
        ) as caught:
            read()
        assert str(file) in str(caught.value)
        assert "chmod 600" in str(caught.value)
    file.chmod(0o600)
    assert source.read(SIM, "k") == "00"


def test_a_secret_is_no_link(tmp_path: Path) -> None:
    source = FileSecrets(tmp_path)
    source.create(SIM, {"k": "00"})
    (tmp_path / "secrets/sim/other.json").symlink_to(tmp_path / "secrets" / f"{SIM}.json")
    with pytest.raises(SecretError, match="cannot be read"):
        source.read("sim/other", "k")
