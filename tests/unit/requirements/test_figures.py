"""Figures as people read them: whole, grouped, and different wherever they differ."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heiiki.requirements.figures import against, apart, compared, number, pair, quantity, settled


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (12_000, "12,000"),
        (25e6, "2.5×10⁷"),
        (999.6, "1,000"),
        (980, "980"),
        (14.25, "14.2"),
        (0.0825, "0.0825"),
        (2.417e-6, "2.42×10⁻⁶"),
        (2e-5, "2×10⁻⁵"),
        (1e15, "1×10¹⁵"),
        (-12_000.0, "-12,000"),
    ],
)
def test_a_number(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("measured", "bound", "texts"),
    [
        (12_000, 1000, ("12,000", "1,000")),
        (1_234_567, 1000, ("1,234,567", "1,000")),
        (12_345_678.4, 1000, ("12,345,678", "1,000")),
        (1000.01, 1000, ("1,000.01", "1,000")),
        (1000.0104, 1000, ("1,000.01", "1,000")),
        (1000.4, 1000, ("1,000.4", "1,000")),
        (1000.2, 1000.4, ("1,000.2", "1,000.4")),
        (999.9999, 1000, ("999.9999", "1,000")),
        (2.0004, 2.0, ("2.0004", "2")),
        (2.0000001e-5, 2e-5, ("2.0000001×10⁻⁵", "2×10⁻⁵")),
        (1000, 1000, ("1,000", "1,000")),
    ],
)
def test_figures_that_differ_read_so(measured: float, bound: float, texts: tuple[str, str]) -> None:
    assert pair(measured, bound) == texts


_FIGURES = st.floats(1e-9, 1e11)


@given(_FIGURES, _FIGURES | st.just(0.0))
def test_no_two_figures_read_equal(value: float, other: float) -> None:
    first, second = settled(value), settled(other)
    texts = pair(first, second)
    assert (texts[0] == texts[1]) is (first == second)


@given(_FIGURES, st.floats(-1e-8, 1e-8))
def test_a_figure_beside_its_bound_reads_on_the_right_side(bound: float, away: float) -> None:
    measured, bound = settled(bound * (1 + away)), settled(bound)
    read = [
        float(text.replace(",", "").replace("×10", "e").translate(_PLAIN)) for text in pair(measured, bound)
    ]
    assert (read[0] > read[1], read[0] < read[1]) == (measured > bound, measured < bound)


_PLAIN = {**{ord(c): str(i) for i, c in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")}, ord("⁻"): "-"}


@pytest.mark.parametrize(
    ("figures", "text"),
    [
        ((1000.01, 1000.0, "yen a month"), "1,000.01 / 1,000 yen a month"),
        ((2.0004, 2.0, "s"), "2.0004 / 2 s"),
        ((0.014, 2.0, "s"), "14 ms / 2 s"),
        ((0.09999, 0.1, "s"), "99.99 ms / 0.1 s"),
        ((0.099999, 0.1, "s"), "99.999 ms / 0.1 s"),
        ((167.6, 168.0, "h margin"), "167.6 (≥ 168) h margin"),
        ((5.04, 5.0416, "days left"), "5.04 (≥ 5.042) days left"),
        ((2.417e-6, 2e-5, ""), "2.42×10⁻⁶ / 2×10⁻⁵"),
        ((1.0, None, "s"), "1 s"),
        ((None, 2.0, "s"), ""),
    ],
)
def test_against(figures: tuple[float | None, float | None, str], text: str) -> None:
    assert against(*figures) == text


def test_head_figures_differ_too() -> None:
    assert compared(1000.01, 1000.0, "yen a month") == ("1,000.01 yen a month", "1,000 yen a month")
    assert quantity(1_234_567.0, "yen a month") == "1,234,567 yen a month"


@pytest.mark.parametrize(
    ("text", "value", "bound", "shown"),
    [
        ("2.00", 2.0043, 2.0, "2.004"),
        ("2.00", 2.0, 2.0, "2.00"),
        ("1.84", 1.8412, 2.0, "1.84"),
        ("1,000", 1000.4, 1000.0, "1,000.4"),
    ],
)
def test_a_rounded_figure_does_not_read_as_the_bound(
    text: str, value: float, bound: float, shown: str
) -> None:
    assert apart(text, value, bound) == shown


def test_noise_of_binary_fractions_decides_nothing() -> None:
    assert settled(800 + 1000 * 0.2) == settled(0.1 + 0.9 + 999) == 1000
    assert 0.1 + 0.2 != 0.3
    assert settled(0.1 + 0.2) == 0.3
    assert settled(1000.01) == 1000.01
    assert math.isclose(settled(2.4171234567e-6), 2.4171234567e-6, rel_tol=1e-8)
