"""A device's own program in a fork: it says and returns what its own process would."""

import zipfile
from pathlib import Path

import pytest
from ansible_collections.heiiki.network.plugins.module_utils import service_manager
from ansible_collections.heiiki.network.plugins.module_utils.service_manager import ServiceError, run


@pytest.fixture(autouse=True)
def no_other_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("another interpreter was started")

    monkeypatch.setattr(service_manager.subprocess, "run", refuse)


def archive(path: Path, main: str, part: str = "") -> tuple[str, str]:
    with zipfile.ZipFile(path, "w") as application:
        application.writestr("__main__.py", main)
        application.writestr("heiiki_agent/__init__.py", "")
        application.writestr("heiiki_agent/part.py", part)
    return ("python3", str(path))


def test_arguments_and_output_are_those_of_a_process_of_its_own(tmp_path: Path) -> None:
    main = "import sys; print(sys.argv[1:], repr(sys.stdin.read())); print('second', file=sys.stderr)"
    argv = archive(tmp_path / "agent.pyz", main)
    assert run((*argv, "links", "check")).splitlines() == ["['links', 'check'] ''", "second"]


def test_its_exit_status_is_an_error_with_what_it_said(tmp_path: Path) -> None:
    argv = archive(tmp_path / "agent.pyz", "import sys; print('differs'); sys.exit(3)")
    with pytest.raises(ServiceError) as caught:
        run(argv)
    assert str(caught.value) == f"`python3 {argv[1]}` exited 3: differs"


def test_what_it_raises_is_an_error(tmp_path: Path) -> None:
    argv = archive(tmp_path / "agent.pyz", "raise ValueError('of its own')")
    with pytest.raises(ServiceError, match=r"exited 1: Traceback[\s\S]*ValueError: of its own$"):
        run(argv)


def test_one_that_is_not_done_in_time_is_killed(tmp_path: Path) -> None:
    argv = archive(tmp_path / "agent.pyz", "import signal; signal.pause()")
    with pytest.raises(ServiceError) as caught:
        run(argv, timeout=0.1)
    assert str(caught.value) == f"`python3 {argv[1]}` was not done within 0.1 s"


def test_a_replaced_archive_is_read_again(tmp_path: Path) -> None:
    main = "from heiiki_agent.part import said; print(said)"
    argv = archive(tmp_path / "agent.pyz", main, "said = 'old'")
    assert run(argv) == "old"
    archive(tmp_path / "agent.pyz", f"# {'longer ' * 50}\n{main}", "said = 'new'")
    assert run(argv) == "new"


def test_a_missing_archive_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match=r"exited 1: Traceback[\s\S]*absent\.pyz"):
        run(("python3", str(tmp_path / "absent.pyz")))
