"""What every test may use, and the order in which they run.

`make test` starts four workers. One runs what needs the lab, in one piece, since there is one lab; the others
run the rest meanwhile, at a low priority: a lab that has to wait for a processor measures that.
"""

import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

pytest_plugins = ("installed", "vault_server", "vault_cluster")
# Modules of helpers assert too, and the values are shown only of modules that pytest knows beforehand.
pytest.register_assert_rewrite("tests.molecule.mutants", "tests.molecule.service")

ROOT = Path(__file__).parent.parent
LAB_TIMEOUT = 40 * 60
LAB_TESTS = (
    "tests/molecule/",
    "tests/unit/heiiki_lab/test_engine_lab.py",
    "tests/unit/heiiki_lab/test_kernel_boot.py",
)
_GIVING_WAY = 10
"""Niceness of what runs beside the lab: at 19 it would starve on a machine that others use too."""

# The same examples on every machine, and no deadline: a shared machine stalls without being wrong.
settings.register_profile("repository", deadline=None, derandomize=True)
settings.load_profile("repository")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs the lab, give it time, and run it after all that fails faster, or beside it."""
    for item in items:
        if (mutant := item.get_closest_marker("mutant")) is not None:
            item.user_properties.append(("mutant", mutant.args[0]))
        if item.path.is_relative_to(ROOT / "tests" / "molecule"):
            item.add_marker(pytest.mark.lab)
        if _on_the_lab(item) and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(LAB_TIMEOUT))
    items.sort(key=_order)


def _on_the_lab(item: pytest.Item) -> bool:
    return item.get_closest_marker("lab") is not None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say of the mutants of each subject how many flipped what is meant for them, and how long that took."""
    tried: Counter[str] = Counter()
    good: Counter[str] = Counter()
    seconds = 0.0
    for result in ("passed", "failed", "error"):
        for report in terminalreporter.getreports(result):
            subject = str(dict(report.user_properties).get("mutant", ""))
            tried[subject] += 1
            good[subject] += result == "passed"
            seconds += report.duration if subject else 0.0
    found = [f"{subject} {good[subject]} of {count}" for subject, count in tried.items() if subject]
    if found:
        terminalreporter.section("mutants")
        total = f"{sum(good.values()) - good['']} of {sum(tried.values()) - tried['']}"
        terminalreporter.write_line(
            f"{total} flipped what is meant for them, in {seconds:.0f} s: {', '.join(found)}"
        )


def _order(item: pytest.Item) -> tuple[bool, bool]:
    """The fast ones first; a Molecule scenario brings its own lab, and two at once would starve."""
    shares_a_lab = "lab" in getattr(item, "fixturenames", ())
    return _on_the_lab(item) != _is_worker(), shares_a_lab


def _is_worker() -> bool:
    return "PYTEST_XDIST_WORKER" in os.environ


class OneLab(LoadScopeScheduling):
    """A worker gets what needs the lab in one piece, and of the rest a file at a time."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "lab" if file.startswith(LAB_TESTS) else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneLab:
    """Share out the tests between workers."""
    return OneLab(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Give way to the lab."""
    if _is_worker() and not _on_the_lab(item) and any(map(_on_the_lab, item.session.items)):
        os.nice(max(0, _GIVING_WAY - os.nice(0)))


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def lab_inventory() -> Path:
    """The worked example."""
    return ROOT / "inventories" / "lab"
