"""What every test may use, and the order in which they run."""

from pathlib import Path

import pytest
from hypothesis import settings

pytest_plugins = ("installed", "vault_server")

ROOT = Path(__file__).parent.parent
LAB_TIMEOUT = 40 * 60

# The same examples on every machine, and no deadline: a shared machine stalls without being wrong.
settings.register_profile("repository", deadline=None, derandomize=True)
settings.load_profile("repository")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs the lab, give it time, and run it after all that fails faster."""
    for item in items:
        if item.path.is_relative_to(ROOT / "tests" / "molecule"):
            item.add_marker(pytest.mark.lab)
        if item.get_closest_marker("lab") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(LAB_TIMEOUT))
    items.sort(key=_order)


def _order(item: pytest.Item) -> tuple[bool, bool]:
    """The fast ones first; a Molecule scenario brings its own lab, and two at once would starve."""
    shares_a_lab = "lab" in getattr(item, "fixturenames", ())
    return item.get_closest_marker("lab") is not None, shares_a_lab


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def lab_inventory() -> Path:
    """The worked example."""
    return ROOT / "inventories" / "lab"
