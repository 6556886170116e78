"""The table of data types in the documents has the figures that the bill is counted from."""

from pathlib import Path

from heiiki.design.volume import MESSAGES

ROOT = Path(__file__).parents[3]
MTU = 1340
TABLES = {"5.5": ("battery", "indirect"), "5.6": ("heat_storage", "direct"), "5.8": ("battery", "direct")}


def test_every_row_of_the_tables_is_there_with_its_figures() -> None:
    text = (ROOT / "docs" / "verdicts.md").read_text(encoding="utf-8")
    section = text.partition("\n## Data types\n")[2].partition("\n## ")[0]
    cells = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| 5.")]
    assert [(row[0], row[1], *row[4:8]) for row in cells] == [
        (
            table,
            one.what,
            f"{one.octets:,}",
            " + ".join(f"{record:,}" for record in one.sent),
            f"{one.on_line(MTU):,}",
            f"{one.within_s} s",
        )
        for table, resource in TABLES.items()
        for one in MESSAGES[resource]
    ]
    assert MESSAGES["heat_storage", "indirect"] == MESSAGES["battery", "indirect"]
