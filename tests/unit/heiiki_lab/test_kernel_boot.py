"""The real kernel and the real root, from the user's cache; the first run builds them (minutes)."""

import os
from pathlib import Path

import pytest

from heiiki_lab import kernel, root

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1200)]


def test_the_guest_offers_all_that_the_lab_needs() -> None:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "heiiki"
    checks = kernel.self_test(kernel.ensure(cache, print), root.ensure(cache, print))
    assert [f"{check.name}: {check.detail}" for check in checks if not check.ok] == []
    assert len(checks) == 17
