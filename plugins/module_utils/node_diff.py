# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is said of a node's files: secrets as digests, keys of routing hidden. Standard library only."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.heiiki.network.plugins.module_utils.journal import Change
from ansible_collections.heiiki.network.plugins.module_utils.node_files import Content
from ansible_collections.heiiki.network.plugins.module_utils.node_manifest import ManagedFile

PLACEHOLDER = re.compile(r"\{\{secret:[^{}]+:[^{}:]+\}\}")
DIGEST = 12
HIDDEN = "(hidden)"
_KEY = re.compile(r"\b(password|key-string)[ \t]+\S.*")
"""A key in FRRouting's configuration, to the end of its line; see `heiiki_agent.frr`."""
_SHORTEST = 8
"""Characters of a secret below which a text may hold it by chance."""


def file_diff(change: Change, file: ManagedFile | None, held: Mapping[str, Any]) -> dict[str, str]:
    """Return what differs in one file.

    Args:
        change: its content before and after.
        file: what the manifest says of it; None for one that goes.
        held: its `secrecy` as the last run left it; empty: not known.
    """
    before, after = change.before, change.after
    if before and after and before.data == after.data:
        return {"prepared": f"{change.path}: {before.stat} -> {after.stat}\n"}
    hidden = _is_hidden(held) or (file is not None and _is_hidden(secrecy(file)))
    return {
        "before_header": _header(change.path, before),
        "after_header": _header(change.path, after),
        "before": _shown(before, hidden=hidden),
        "after": _shown(after, hidden=hidden),
    }


def secrecy(file: ManagedFile) -> dict[str, bool]:
    """Return whether a file holds secrets, and whether keys of routing alone: then the rest is shown."""
    secret = file.secret or bool(PLACEHOLDER.search(file.content))
    keyed = secret and not file.secret and not PLACEHOLDER.search(_without_keys(file.content))
    return {"secret": secret, "keyed": keyed}


def _is_hidden(told: Mapping[str, Any]) -> bool:
    return bool(told.get("secret")) and not told.get("keyed")


def without(values: Iterable[str], text: str) -> str:
    """Return what a program said of files, without the secrets `values` and without keys of routing."""
    for value in values:
        if len(value) >= _SHORTEST:
            text = text.replace(value, HIDDEN)
    return _without_keys(text)


def _without_keys(text: str) -> str:
    return _KEY.sub(rf"\1 {HIDDEN}", text)


def sha256(data: bytes) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def _header(path: str, content: Content | None) -> str:
    return f"{path} ({content.stat})" if content else f"{path} (absent)"


def _shown(content: Content | None, *, hidden: bool) -> str:
    if content is None:
        return ""
    digest = f"sha256 {sha256(content.data)[:DIGEST]}"
    if hidden:
        return f"(secret, {digest})\n"
    try:
        text = content.data.decode()
    except UnicodeDecodeError:
        return f"(not text, {digest})\n"
    shown = _without_keys(text)
    # The digest tells that a key is another one.
    return text if shown == text else f"{shown}(with its keys: {digest})\n"
