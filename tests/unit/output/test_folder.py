"""Whose files are whose in an output folder, whatever happens to a run."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from heiiki.errors import FolderError
from heiiki.output import OwnedFolder

FILES = {"a/etc/hosts": "one\n", "a/manifest.json": "{}\n", "b/etc/hosts": "two\n"}


def tree(folder: Path) -> dict[str, str]:
    """Every file but the record's, by path."""
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".heiiki" not in path.parts
    }


def refusal(folder: Path, files: dict[str, str] = FILES) -> str:
    before = tree(folder)
    with pytest.raises(FolderError) as caught:
        OwnedFolder(folder, wait_s=0.1).replace(files)
    assert tree(folder) == before
    return str(caught.value)


class TestWhatIsOurs:
    def test_a_second_run_writes_nothing(self, tmp_path: Path) -> None:
        OwnedFolder(tmp_path).replace(FILES, {"x": "1"})
        stamps = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
        assert OwnedFolder(tmp_path).replace(FILES, {"x": "1"}).changed == ()
        assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} | {
            tmp_path / ".heiiki/lock": 0
        } == stamps | {tmp_path / ".heiiki/lock": 0}

    def test_only_what_differs_is_written(self, tmp_path: Path) -> None:
        OwnedFolder(tmp_path).replace(FILES)
        kept = (tmp_path / "a/manifest.json").stat().st_ino
        assert OwnedFolder(tmp_path).replace({**FILES, "a/etc/hosts": "new\n"}).changed == ("a/etc/hosts",)
        assert (tmp_path / "a/manifest.json").stat().st_ino == kept

    def test_what_is_no_longer_wanted_goes_with_its_empty_folders(self, tmp_path: Path) -> None:
        OwnedFolder(tmp_path).replace(FILES)
        update = OwnedFolder(tmp_path).replace({"a/manifest.json": "{}\n"})
        assert update.changed == ("a/etc/hosts", "b/etc/hosts")
        assert [path.name for path in tmp_path.iterdir() if path.name != ".heiiki"] == ["a"]
        assert [path.name for path in (tmp_path / "a").iterdir()] == ["manifest.json"]

    def test_a_lost_file_is_written_again(self, tmp_path: Path) -> None:
        OwnedFolder(tmp_path).replace(FILES)
        (tmp_path / "a/etc/hosts").unlink()
        assert OwnedFolder(tmp_path).replace(FILES).changed == ("a/etc/hosts",)
        assert tree(tmp_path) == FILES


class TestWhatIsAPersons:
    @pytest.mark.parametrize(
        "theirs", ["webshop/manifest.json", "notes.txt", "a/etc/hosts", "core.cfg", "a"], ids=str
    )
    def test_a_folder_that_no_run_wrote_is_refused(self, tmp_path: Path, theirs: str) -> None:
        file = tmp_path / theirs
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("years of work")
        first = Path(theirs).parts[0]
        assert refusal(tmp_path) == (
            f"{tmp_path}: holds {first}, which heiiki did not write; name a new or an empty folder"
        )
        assert [path.name for path in tmp_path.iterdir()] == [first]

    def test_files_beside_ours_stay_in_folders_that_are_kept_and_in_those_that_go(
        self, tmp_path: Path
    ) -> None:
        OwnedFolder(tmp_path).replace(FILES)
        mine = {
            "b/notes.txt": "n",
            "b/etc/local/mine.conf": "m",
            "a/etc/x": "x",
            "webshop/manifest.json": "{}",
        }
        for path, text in mine.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)
        (tmp_path / "a/empty").mkdir()
        OwnedFolder(tmp_path).replace({"a/etc/hosts": "new\n"})
        assert tree(tmp_path) == {**mine, "a/etc/hosts": "new\n"}
        assert (tmp_path / "a/empty").is_dir()

    def test_a_file_in_the_way_is_refused_with_its_name_and_nothing_is_changed(self, tmp_path: Path) -> None:
        OwnedFolder(tmp_path).replace({"a/manifest.json": "{}\n"})
        (tmp_path / "b/etc").mkdir(parents=True)
        (tmp_path / "b/etc/hosts").write_text("mine")
        assert refusal(tmp_path) == (
            f"{tmp_path}: b/etc/hosts is there and heiiki did not write it; "
            "move it away, or name another folder"
        )

    def test_one_of_ours_that_was_edited_is_kept_under_another_name(self, tmp_path: Path) -> None:
        OwnedFolder(tmp_path).replace(FILES)
        (tmp_path / "a/etc/hosts").write_text("by hand")
        update = OwnedFolder(tmp_path).replace(FILES)
        aside = next((tmp_path / "a/etc").glob("hosts.changed-*"))
        assert aside.read_text() == "by hand"
        assert update.kept == (
            f"{tmp_path}/a/etc/hosts was changed by hand: that text is kept as a/etc/{aside.name}",
        )
        assert (tmp_path / "a/etc/hosts").read_text() == "one\n"

    def test_one_of_ours_that_was_edited_stays_when_its_device_goes(self, tmp_path: Path) -> None:
        OwnedFolder(tmp_path).replace(FILES)
        (tmp_path / "b/etc/hosts").write_text("by hand")
        update = OwnedFolder(tmp_path).replace({"a/manifest.json": "{}\n"})
        assert update.kept == (f"{tmp_path}/b/etc/hosts stays: it was changed after it was written",)
        assert (tmp_path / "b/etc/hosts").read_text() == "by hand"

    def test_an_update_moves_a_persons_file_aside_and_overwrites_its_own(self, tmp_path: Path) -> None:
        (tmp_path / "report.html").write_text("mine")
        OwnedFolder(tmp_path).update({"report.html": "first"})
        OwnedFolder(tmp_path).update({"report.html": "second"})
        OwnedFolder(tmp_path).update({"junit.xml": "x"})
        found = tree(tmp_path)
        assert (found.pop("report.html"), found.pop("junit.xml")) == ("second", "x")
        assert list(found.values()) == ["mine"]

    def test_an_update_moves_a_link_aside(self, tmp_path: Path) -> None:
        (tmp_path / "theirs").write_text("mine")
        (tmp_path / "report.html").symlink_to("theirs")
        OwnedFolder(tmp_path).update({"report.html": "first"})
        assert (tmp_path / "theirs").read_text() == "mine"
        assert (tmp_path / "report.html").read_text() == "first"
        assert next(tmp_path.glob("report.html.moved-*")).is_symlink()

    def test_who_is_alone_may_write(self, tmp_path: Path) -> None:
        with OwnedFolder(tmp_path).alone():
            assert OwnedFolder(tmp_path, wait_s=0).replace(FILES).changed == tuple(sorted(FILES))


class TestLinks:
    def test_a_link_to_a_folder_is_followed(self, tmp_path: Path) -> None:
        (tmp_path / "real").mkdir()
        (tmp_path / "link").symlink_to("real")
        OwnedFolder(tmp_path / "link").replace(FILES)
        assert tree(tmp_path / "real") == FILES

    @pytest.mark.parametrize(
        ("link", "why"),
        [
            ("a", "a is a link where a folder belongs"),
            ("a/etc", "a/etc is a link where a folder belongs"),
            ("a/etc/hosts", "a/etc/hosts is a link where a file belongs"),
        ],
    )
    def test_a_link_inside_is_named_and_what_it_leads_to_is_left_alone(
        self, tmp_path: Path, link: str, why: str
    ) -> None:
        theirs = tmp_path / "theirs"
        theirs.mkdir()
        (theirs / "manifest.json").write_text("{}")
        out = tmp_path / "out"
        OwnedFolder(out).replace({"b/etc/hosts": "two\n"})
        (out / link).parent.mkdir(parents=True, exist_ok=True)
        (out / link).symlink_to(theirs / "manifest.json" if link.endswith("hosts") else theirs)
        assert refusal(out) == f"{out}: {why}; move it away, or name another folder"
        assert tree(theirs) == {"manifest.json": "{}"}

    def test_nothing_is_removed_through_a_link(self, tmp_path: Path) -> None:
        out, theirs = tmp_path / "out", tmp_path / "theirs"
        OwnedFolder(out).replace(FILES)
        (out / "b").rename(theirs)
        (out / "b").symlink_to(theirs)
        update = OwnedFolder(out).replace({"a/etc/hosts": "one\n"})
        assert tree(theirs) == {"etc/hosts": "two\n"}
        assert update.kept == (f"{out}/b/etc/hosts stays: b is a link where a folder belongs",)

    def test_a_pipe_does_not_hang_a_run(self, tmp_path: Path) -> None:
        OwnedFolder(tmp_path).replace({"a/manifest.json": "{}\n"})
        (tmp_path / "b/etc").mkdir(parents=True)
        os.mkfifo(tmp_path / "b/etc/hosts")
        assert "b/etc/hosts is a special file where a file belongs" in refusal(tmp_path)

    def test_a_dangling_link_as_the_folder_is_an_error_with_its_name(self, tmp_path: Path) -> None:
        (tmp_path / "out").symlink_to("/proc/nowhere/out")
        with pytest.raises(FolderError, match=rf"^{tmp_path}/out"):
            OwnedFolder(tmp_path / "out").replace(FILES)


class TestTrouble:
    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_a_folder_without_permission_is_named_whole(self, tmp_path: Path) -> None:
        (tmp_path / "a").mkdir()
        OwnedFolder(tmp_path / "out").replace({"a/x": "1"})
        (tmp_path / "out/a").chmod(0o555)
        with pytest.raises(FolderError) as caught:
            OwnedFolder(tmp_path / "out").replace({"a/x": "1", "a/etc/y": "2"})
        assert (
            str(caught.value) == f"{tmp_path}/out/a/etc: Permission denied; name a place that can be written"
        )

    def test_a_file_where_the_folder_should_be(self, tmp_path: Path) -> None:
        (tmp_path / "out").write_text("")
        with pytest.raises(FolderError) as caught:
            OwnedFolder(tmp_path / "out").replace(FILES)
        assert str(caught.value) == f"{tmp_path}/out: Not a directory; name a place that can be written"

    @pytest.mark.parametrize("text", ["", "[]", '{"files": {"../x": ["1"]}}', '{"files": {"/x": ["1"]}}'])
    def test_a_record_that_is_none_is_not_believed(self, tmp_path: Path, text: str) -> None:
        OwnedFolder(tmp_path).replace(FILES)
        (tmp_path / ".heiiki/record.json").write_text(text)
        assert refusal(tmp_path).startswith(f"{tmp_path}/.heiiki/record.json: ")

    @pytest.mark.parametrize("writes", range(12))
    def test_a_run_that_is_cut_off_anywhere_is_completed_by_the_next(
        self, tmp_path: Path, writes: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        OwnedFolder(tmp_path).replace(FILES, {"run": "1"})
        (tmp_path / "mine.txt").write_text("mine")
        left = [writes]
        rename, unlink = os.rename, os.unlink

        def counted(call: object) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise OSError(28, "No space left on device", "x")
            assert call

        monkeypatch.setattr(os, "rename", lambda *paths: (counted(paths), rename(*paths)))
        monkeypatch.setattr(os, "unlink", lambda path: (counted(path), unlink(path)))
        wanted = {"a/etc/hosts": "other\n", "c/d/e": "new\n"}
        try:
            OwnedFolder(tmp_path).replace(wanted, {"run": "2"})
        except FolderError:
            assert OwnedFolder(tmp_path).about() in (None, {"run": "1"})
        monkeypatch.undo()
        assert OwnedFolder(tmp_path).replace(wanted, {"run": "2"}).kept == ()
        assert tree(tmp_path) == {**wanted, "mine.txt": "mine"}
        assert OwnedFolder(tmp_path).about() == {"run": "2"}


WRITER = """
import sys
from pathlib import Path
from heiiki.output import OwnedFolder
for turn in range(20):
    OwnedFolder(Path(sys.argv[1])).replace({f"{name}/{sys.argv[2]}": f"{turn}" for name in range(40)})
"""
HOLDER = """
import sys, time
from pathlib import Path
from heiiki.output import OwnedFolder
with OwnedFolder(Path(sys.argv[1])).alone(), OwnedFolder(Path(sys.argv[1]))._alone():
    print("mine", flush=True)
    time.sleep(600)
"""


class TestTwoRuns:
    def test_two_at_once_leave_the_files_of_one(self, tmp_path: Path) -> None:
        runs = [
            subprocess.Popen([sys.executable, "-c", WRITER, tmp_path / "out", name], stderr=subprocess.PIPE)
            for name in ("x", "y")
        ]
        assert [run.communicate()[1] for run in runs] == [b"", b""]
        names = {path.rpartition("/")[2] for path in tree(tmp_path / "out")}
        assert len(names) == 1
        assert len(tree(tmp_path / "out")) == 40

    def test_who_has_waited_long_enough_is_told_for_whom(self, tmp_path: Path) -> None:
        with subprocess.Popen([sys.executable, "-c", HOLDER, tmp_path], stdout=subprocess.PIPE) as holder:
            assert holder.stdout
            assert holder.stdout.readline() == b"mine\n"
            told = refusal(tmp_path)
            for enter in (OwnedFolder(tmp_path, wait_s=0.1).reading, OwnedFolder(tmp_path, wait_s=0.1).alone):
                with pytest.raises(FolderError), enter():
                    pass
            holder.send_signal(signal.SIGKILL)
        assert told == (
            f"{tmp_path}: another run (process {holder.pid}) is at work in it; "
            "wait until it ends, then run again"
        )
        OwnedFolder(tmp_path, wait_s=5).replace(FILES)

    def test_a_writer_waits_for_a_reader(self, tmp_path: Path) -> None:
        OwnedFolder(tmp_path).replace(FILES)
        done = threading.Event()

        def write() -> None:
            OwnedFolder(tmp_path).replace({"a/etc/hosts": "new\n"})
            done.set()

        with OwnedFolder(tmp_path).reading(), OwnedFolder(tmp_path).reading():
            writer = threading.Thread(target=write)
            writer.start()
            time.sleep(0.2)
            assert not done.is_set()
            assert (tmp_path / "a/etc/hosts").read_text() == "one\n"
        writer.join()
        assert (tmp_path / "a/etc/hosts").read_text() == "new\n"
