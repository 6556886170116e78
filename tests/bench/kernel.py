"""What each option of the lab's kernel costs to build: `python tests/bench/kernel.py`, about ten minutes.

The kernel is built as the lab builds it, in a cache of its own that is deleted afterwards, with a compiler
that notes the processor seconds of each object. An object belongs to the option that its Makefile names for
it, or for the folder that it is in; what no option turns off is `(always)`. A busy machine spoils the clock's
seconds and leaves the processor's nearly as they are.
"""

import re
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click

from heiiki_lab.kernel import builder, options

ALWAYS = "(always)"
_LEFT_OUT = "(options below 1 %)"

# `times` of a POSIX shell prints its own seconds, then its children's: user and system, as 0m1.230000s.
_COMPILER = r"""
cat >/usr/local/bin/timed-gcc <<'TIMED'
#!/bin/sh
gcc "$@"; code=$?
object=none previous=
for argument; do [ "$previous" = -o ] && object=$argument; previous=$argument; done
times >/tmp/times.$$
echo "$object $(sed -n 2p /tmp/times.$$)" >>/times
rm /tmp/times.$$
exit $code
TIMED
chmod +x /usr/local/bin/timed-gcc
"""
_RULE = re.compile(
    r"^(?P<list>[\w-]+)-(?P<when>y|objs|\$\(CONFIG_(?P<option>\w+)\))\s*[:+]?=\s*(?P<what>.*)$"
)
_SECONDS = re.compile(r"(\d+)m([\d.]+)s")


def timed(recipe: builder._Recipe) -> builder._Recipe:
    """Return the recipe with a compiler that notes what each object costs."""
    asked = 'make ARCH=um SUBARCH=x86_64 "-j$1" linux'
    if recipe.script.count(asked) != 1:
        raise click.ClickException("recipe.sh no longer compiles as this bench expects")
    script = recipe.script.replace(asked, f"{_COMPILER}{asked} CC=/usr/local/bin/timed-gcc")
    return replace(recipe, script=script)


def seconds(times: str) -> Iterator[tuple[str, float]]:
    """Yield object and processor seconds of each call of the compiler."""
    for line in times.splitlines():
        name, _, spent = line.partition(" ")
        yield (
            name.removeprefix("./"),
            sum(60 * int(minutes) + float(rest) for minutes, rest in _SECONDS.findall(spent)),
        )


class Makefiles:
    """The rules of the kernel's Makefiles: which option an object is built for."""

    def __init__(self, source: Path) -> None:
        """Read rules below `source` as they are asked for."""
        self._source = source
        self._known: dict[str, dict[str, tuple[str, str]]] = {}

    def option(self, path: str) -> str:
        """Return the option for which the object `path`, or the folder that ends in a slash, is built."""
        folder, _, name = path.rstrip("/").rpartition("/")
        own = self._rules(folder).get(name + "/" * path.endswith("/"))
        if own is not None:
            list_name, option = own
            if option:
                return option
            if list_name not in ("obj", "lib"):
                return self.option(f"{folder}/{list_name}.o")
        return self.option(f"{folder}/") if folder else ALWAYS

    def _rules(self, folder: str) -> dict[str, tuple[str, str]]:
        if folder not in self._known:
            self._known[folder] = dict(self._read(folder))
        return self._known[folder]

    def _read(self, folder: str) -> Iterator[tuple[str, tuple[str, str]]]:
        for name in ("Makefile", "Kbuild"):
            path = self._source / folder / name
            text = path.read_text(errors="replace") if path.is_file() else ""
            for line in text.replace("\\\n", " ").splitlines():
                if found := _RULE.match(line):
                    for word in found["what"].split():
                        yield word, (found["list"], found["option"] or "")


def costs(tree: Path) -> dict[str, float]:
    """Return the processor seconds of each option, from a build tree that is finished."""
    makefiles = Makefiles(tree / "src")
    found: dict[str, float] = defaultdict(float)
    for name, spent in seconds((tree / "times").read_text()):
        found[makefiles.option(name) if name.endswith(".o") else ALWAYS] += spent
    return found


def shown(found: dict[str, float]) -> Iterator[str]:
    """Yield the table's lines, the dearest first."""
    asked = {one.name for one in builder._recipe().asked}
    total = sum(found.values())
    small = [name for name, spent in found.items() if spent < total / 100]
    rows = {name: spent for name, spent in found.items() if name not in small}
    rows[_LEFT_OUT] = sum(found[name] for name in small)
    yield f"| option | asked for | processor seconds, of {total:.0f} |"
    yield "|---|---|---|"
    for name, spent in sorted(rows.items(), key=lambda row: -row[1]):
        yield f"| `{name}` | {'yes' if name in asked else 'by others'} | {spent:.1f} |"


@click.command()
def main() -> None:
    """Build the kernel once and print what each option costs."""
    found: dict[str, float] = defaultdict(float)
    keep = builder._keep

    def measured(site: builder._Site, key: str) -> Path:
        found.update(costs(site.tree))
        return keep(site, key)

    recipe = timed(builder._recipe())
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="heiiki-kernel-") as cache:
        builder._keep, builder._recipe = measured, lambda: recipe
        builder.ensure(Path(cache), click.echo)
    click.echo("\n".join(shown(found)))
    click.echo(
        f"{len(options.fragment(recipe.asked).splitlines())} options, {time.monotonic() - start:.0f} s in all"
    )


if __name__ == "__main__":
    main()
