"""How long 1,000 sites of a table take to become site files: `python tests/bench/sources.py`.

Each row is a command from start to end, a fresh process on one core. Everything that `heiiki check` does is
part of each import, so `check` stands beside them. Seconds of processor count: a busy machine spoils the
clock's.
"""

import csv
import sys
import tempfile
from pathlib import Path

import click
import yaml
from bench import HEAD, Row, run

from heiiki.cli.new_service import generate
from heiiki.sources.keys import site_keys, value_at

SITES = 1000


def made(folder: Path) -> Path:
    """Write a service without sites into `folder`, and a table of its sites beside it; return the table."""
    files = generate("thousand", SITES, seed=7)
    (folder / "sites").mkdir(parents=True)
    (folder / "service.yml").write_text(files.pop("service.yml"), encoding="utf-8")
    table = folder.with_suffix(".csv")
    rows = [row(yaml.safe_load(text)) for text in files.values()]
    with table.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return table


def row(site: object) -> dict[str, object]:
    """Return a site as a row."""
    cells = {key: value_at(site, key) for key in site_keys()}
    items = cells["resources"]
    cells["resources"] = ";".join(f"{item['kind']}:{item['control']}" for item in items)
    return {key: value for key, value in cells.items() if value is not None}


def measured(what: str, *command: str) -> Row:
    """Return how long a command of `heiiki` takes."""
    heiiki = str(Path(sys.executable).with_name("heiiki"))
    _, processor_s, clock_s, peak_mib = run(heiiki, *command)
    return Row(what, processor_s, clock_s, peak_mib)


def main() -> None:
    """Measure, and print the table."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "thousand"
        table = made(folder)
        words = ("import", "csv", str(table), str(folder))
        rows = (
            measured(f"{SITES} new sites from a table, looked at", *words, "--check"),
            measured(f"{SITES} new sites from a table, written", *words),
            measured("the same table again: nothing to write", *words),
            measured("heiiki check of the service, for comparison", "check", str(folder)),
        )
    click.echo("\n".join([HEAD, *map(str, rows)]))


if __name__ == "__main__":
    main()
