"""Files in a folder that a service owns: whatever it does there, no other file is read or replaced."""

import contextlib
import os
import socket
import threading
from pathlib import Path

import pytest
from ansible_collections.heiiki.network.plugins.module_utils.node_files import (
    Content,
    NodeError,
    Stat,
    install,
    read,
    remove,
)

PLAIN = "is not a plain file: move it away, then run again"
MINE = Stat(0o640, os.geteuid(), os.getegid())


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "shadow"
    path.write_text("root:secret")
    return path


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """The folder of a service."""
    path = tmp_path / "frr"
    path.mkdir()
    return path


def test_what_is_read_is_what_was_looked_at(own: Path) -> None:
    (own / "frr.conf").write_text("mine")
    (own / "frr.conf").chmod(0o640)
    assert read(own / "frr.conf") == Content(b"mine", MINE)
    assert read(own / "other.conf") is None
    assert read(own / "none/frr.conf") is None


def test_a_link_is_not_read(own: Path, secret: Path) -> None:
    (own / "frr.conf").symlink_to(secret)
    with pytest.raises(NodeError, match=PLAIN):
        read(own / "frr.conf")


def test_a_fifo_a_socket_and_a_device_hold_nothing_up(own: Path) -> None:
    os.mkfifo(own / "fifo")
    (own / "folder").mkdir()
    with socket.socket(socket.AF_UNIX) as made, contextlib.chdir(own):
        made.bind("socket")
    for name in ("fifo", "folder", "socket"):
        with pytest.raises(NodeError, match=PLAIN):
            read(own / name)


def test_a_name_that_changes_meanwhile_never_gives_another_file(own: Path, secret: Path) -> None:
    """As it was tried by hand: the name is a file and a link in turns while it is read."""
    path, over = own / "frr.conf", threading.Event()

    def swap() -> None:
        while not over.is_set():
            for make in (lambda new: new.write_text("mine"), lambda new: new.symlink_to(secret)):
                new = own / "new"
                make(new)
                new.replace(path)

    swapping = threading.Thread(target=swap)
    swapping.start()
    found = set()
    try:
        for _ in range(3000):
            with contextlib.suppress(NodeError):
                content = read(path)
                found.add(content.data if content else b"")
    finally:
        over.set()
        swapping.join()
    assert b"root:secret" not in found
    assert b"mine" in found


def test_a_file_is_replaced_and_a_link_that_was_put_there_is_not_followed(own: Path, secret: Path) -> None:
    for name in ("frr.conf", ".frr.conf.heiiki-candidate"):
        (own / name).symlink_to(secret)
    install(own / "frr.conf", Content(b"new", MINE))
    assert read(own / "frr.conf") == Content(b"new", MINE)
    assert secret.read_text() == "root:secret"
    assert sorted(path.name for path in own.iterdir()) == ["frr.conf"]
    remove(own / "frr.conf")
    remove(own / "frr.conf")
    assert not [*own.iterdir()]


def test_what_was_put_in_the_place_of_what_is_installed_is_told(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = os.rename

    def swapped(source: str, target: str, **more: int) -> None:
        os.unlink(source, dir_fd=more["src_dir_fd"])
        (own / source).write_text("theirs")
        rename(source, target, **more)

    monkeypatch.setattr(os, "rename", swapped)
    with pytest.raises(NodeError, match=r"frr\.conf was replaced while it was installed: find out by what"):
        install(own / "frr.conf", Content(b"new", MINE))


def test_a_folder_may_be_a_link_of_root_s_and_no_other(tmp_path: Path, own: Path) -> None:
    (own / "frr.conf").write_text("mine")
    (tmp_path / "link").symlink_to(own)
    assert read(tmp_path / "link/frr.conf") == read(own / "frr.conf")
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    (shared / "link").symlink_to(own)
    for act in (read, remove, lambda path: install(path, Content(b"x", MINE))):
        with pytest.raises(NodeError, match="link is a link that others may have made"):
            act(shared / "link/frr.conf")
    assert (own / "frr.conf").read_text() == "mine"
