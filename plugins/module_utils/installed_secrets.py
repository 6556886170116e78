# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Secrets that a node has already, read back from its own files: a change that drops some needs no server.

A file was made from a text in which each secret stood as a placeholder. A program with that text finds the
values again in the file, without knowing its format. Standard library only.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ansible_collections.heiiki.network.plugins.module_utils.journal import Journal
from ansible_collections.heiiki.network.plugins.module_utils.node_diff import PLACEHOLDER
from ansible_collections.heiiki.network.plugins.module_utils.node_files import NodeError, read


def installed(former: Mapping[str, Sequence[str]], root: Path = Path("/")) -> dict[str, str]:
    """Return the value of every placeholder, from the files as they stand on the node.

    Args:
        former: by path, the texts with placeholders from one of which the file was made.
        root: where the node's files stand.

    Raises:
        NodeError: a file is not there, or was made from none of its texts.
    """
    journal = Journal(root)
    found: dict[str, str] = {}
    for path, texts in former.items():
        content = read(journal.at(path))
        text = content.data.decode("utf-8", "replace") if content else ""
        values = next((one for sent in texts if (one := _values(sent, text)) is not None), None)
        if values is None:
            raise NodeError(f"{path} is not what was sent before: the secrets in it cannot be read back")
        found |= values
    return found


def _values(text: str, installed: str) -> dict[str, str] | None:
    """Return what stands in `installed` in the places of the placeholders of `text`; None if it differs."""
    wanted, there = text.splitlines(), installed.splitlines()
    if len(wanted) != len(there):
        return None
    found: dict[str, str] = {}
    for line, filled in zip(wanted, there, strict=True):
        match = re.fullmatch("".join(_pattern(line)), filled)
        if match is None:
            return None
        for placeholder, value in zip(PLACEHOLDER.findall(line), match.groups(), strict=True):
            if found.setdefault(placeholder, value) != value:
                return None
    return found


def _pattern(line: str) -> Iterator[str]:
    """Yield the parts of an expression that matches the line, whatever the secrets in it are."""
    at = 0
    for placeholder in PLACEHOLDER.finditer(line):
        yield re.escape(line[at : placeholder.start()])
        yield "(.+?)"
        at = placeholder.end()
    yield re.escape(line[at:])
