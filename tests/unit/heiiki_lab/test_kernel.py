import dataclasses
import re
from importlib.resources import files
from pathlib import Path

import pytest

from heiiki.errors import LabError
from heiiki_lab import build
from heiiki_lab.kernel import builder, options, selftest, source
from heiiki_lab.kernel.options import Option

HERE = files("heiiki_lab.kernel")
LOCK = source.parse(HERE.joinpath("source.lock").read_text())


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> builder._Site:
    monkeypatch.setattr(builder.privileged, "_as_root", lambda *command: command)
    folder = tmp_path / "kernel"
    folder.mkdir()
    return builder._Site(folder, folder / "partial", build.fresh_log(tmp_path, "kernel"), lambda _line: None)


def test_options_are_read_one_a_line() -> None:
    text = "# why\nNET\n\nNR_CPUS=8\nMODULES=n\n"
    asked = options.parse(text)
    assert asked == (Option("NET", "y"), Option("NR_CPUS", "8"), Option("MODULES", "n"))
    assert options.fragment(asked) == "CONFIG_NET=y\nCONFIG_NR_CPUS=8\n# CONFIG_MODULES is not set\n"


def test_an_option_asked_twice_is_refused() -> None:
    with pytest.raises(LabError, match="asked twice: NET; keep one line of each"):
        options.parse("NET\nINET\nNET=n\n")


def test_every_asked_option_is_compared_with_the_result() -> None:
    config = "CONFIG_NET=y\nCONFIG_NR_CPUS=4\nCONFIG_MODULES=y\n# CONFIG_GTP is not set\n"
    asked = options.parse("NET\nNR_CPUS=8\nMODULES=n\nGTP\nIP_SCTP\nSIGNED=n\n")
    missing = [option.name for option in options.not_held(asked, config)]
    assert missing == ["NR_CPUS", "MODULES", "GTP", "IP_SCTP"]


def test_the_options_file_is_well_formed() -> None:
    asked = options.parse(HERE.joinpath("options").read_text())
    wrong = [option for option in asked if not re.fullmatch(r"[A-Z0-9_]+", option.name)]
    assert wrong == []


def test_the_lock_pins_every_version_by_hash_and_size() -> None:
    assert len({version.sha256 for version in LOCK.versions}) == len(LOCK.versions) == 4
    assert all(re.fullmatch(r"[0-9a-f]{64}", version.sha256) for version in LOCK.versions)
    assert all(version.size > 100_000_000 for version in LOCK.versions)


def test_the_cache_key_changes_with_everything_that_goes_in() -> None:
    recipe = builder._recipe()
    variants = (
        recipe,
        dataclasses.replace(recipe, asked=(*recipe.asked, Option("ATM", "y"))),
        dataclasses.replace(recipe, script=recipe.script + "\n"),
    )
    keys = {variant.key(version) for variant in variants for version in LOCK.versions}
    assert len(keys) == len(variants) * len(LOCK.versions)


def test_a_cached_kernel_is_given_without_a_build(tmp_path: Path) -> None:
    older = LOCK.versions[1]
    linux = tmp_path / "kernel" / builder._recipe().key(older) / "linux"
    linux.parent.mkdir(parents=True)
    linux.touch()
    lines: list[str] = []
    assert builder.ensure(tmp_path, lines.append) == linux
    assert lines == []


def test_an_older_version_is_taken_when_the_archive_lacks_the_first(
    site: builder._Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def archive(command: tuple[str, ...], *_rest: object, allowed: tuple[int, ...]) -> int:
        missing = "fetch" in command and LOCK.versions[0].version in command
        code = builder._NOT_IN_ARCHIVE if missing else 0
        assert code in allowed
        return code

    monkeypatch.setattr(build, "run", archive)
    assert builder._fetch(site, LOCK) == LOCK.versions[1]


def test_no_accepted_version_is_a_clear_error(site: builder._Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def archive(command: tuple[str, ...], *_rest: object, **_options: object) -> int:
        return builder._NOT_IN_ARCHIVE if "fetch" in command else 0

    monkeypatch.setattr(build, "run", archive)
    with pytest.raises(LabError) as caught:
        builder._fetch(site, LOCK)
    message = str(caught.value)
    assert all(version.version in message for version in LOCK.versions)
    assert "HEIIKI_DEBIAN_MIRROR" in message


def test_an_option_that_did_not_hold_stops_the_build_before_compiling(
    site: builder._Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []

    def run(command: tuple[str, ...], *_rest: object, **_options: object) -> int:
        steps.append(command[command.index("/recipe.sh") + 1])
        return 0

    monkeypatch.setattr(build, "run", run)
    (site.tree / "src").mkdir(parents=True)
    (site.tree / "src" / ".config").write_text("CONFIG_NET=y\n")
    with pytest.raises(LabError, match="does not hold: CONFIG_NO_SUCH_OPTION=y; ask for"):
        builder._compile(
            site, dataclasses.replace(builder._recipe(), asked=options.parse("NET\nNO_SUCH_OPTION"))
        )
    assert steps == ["configure"]


def test_a_finished_kernel_is_kept_whole(site: builder._Site) -> None:
    (site.tree / "src").mkdir(parents=True)
    (site.tree / "src" / "linux").write_text("kernel")
    (site.tree / "src" / ".config").write_text("CONFIG_NET=y\n")
    linux = builder._keep(site, "0123")
    assert linux.read_text() == "kernel"
    assert sorted(path.name for path in site.folder.iterdir()) == ["0123", "partial"]


def test_a_failed_build_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder.privileged, "_as_root", lambda *command: command)

    def fail(site: builder._Site, _recipe: builder._Recipe) -> None:
        (site.tree / "src").mkdir(parents=True)
        raise LabError("no archive")

    monkeypatch.setattr(builder, "_bootstrap", fail)
    with pytest.raises(LabError, match="no archive"):
        builder.ensure(tmp_path, lambda _line: None)
    assert [path.name for path in (tmp_path / "kernel").iterdir()] == [".lock"]


def test_answers_of_the_guest_are_read_from_its_console() -> None:
    names = [f"thing {number}" for number in range(selftest._EXPECTED - 1)]
    console = "".join(f"probe {name}: ok\r\n" for name in names) + "probe GTP: failed code 1: no: such\r\n"
    checks = selftest._checks("noise\r\n" + console)
    assert checks[:-1] == tuple(selftest.Check(name, True, "") for name in names)  # noqa: FBT003 - as read
    assert checks[-1] == selftest.Check("GTP", ok=False, detail="code 1: no: such")


def test_a_guest_that_dies_is_an_error_with_the_end_of_its_console() -> None:
    with pytest.raises(LabError) as caught:
        selftest._checks("probe VRF: ok\nKernel panic - not syncing\n")
    assert "1 of 17 checks" in str(caught.value)
    assert str(caught.value).endswith("  Kernel panic - not syncing")
