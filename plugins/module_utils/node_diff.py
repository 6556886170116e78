# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The diff of a node's files as Ansible prints it; secrets stand as digests. Standard library only."""

import hashlib
import re

from ansible_collections.heiiki.network.plugins.module_utils.journal import Change
from ansible_collections.heiiki.network.plugins.module_utils.node_files import Content
from ansible_collections.heiiki.network.plugins.module_utils.node_manifest import ManagedFile

PLACEHOLDER = re.compile(r"\{\{secret:[^{}]+:[^{}:]+\}\}")
DIGEST = 12


def file_diff(change: Change, file: ManagedFile | None, *, hidden: bool) -> dict[str, str]:
    """Return what differs in one file.

    Args:
        change: its content before and after.
        file: what the manifest says of it; None for one that goes.
        hidden: it contained a secret before.
    """
    before, after = change.before, change.after
    if before and after and before.data == after.data:
        return {"prepared": f"{change.path}: {before.stat} -> {after.stat}\n"}
    hidden = hidden or bool(file and is_secret(file))
    return {
        "before_header": _header(change.path, before),
        "after_header": _header(change.path, after),
        "before": _shown(before, hidden=hidden),
        "after": _shown(after, hidden=hidden),
    }


def is_secret(file: ManagedFile) -> bool:
    """Tell whether a file is shown in no diff."""
    return file.secret or bool(PLACEHOLDER.search(file.content))


def sha256(data: bytes) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def _header(path: str, content: Content | None) -> str:
    return f"{path} ({content.stat})" if content else f"{path} (absent)"


def _shown(content: Content | None, *, hidden: bool) -> str:
    if content is None:
        return ""
    if hidden:
        return f"(secret, sha256 {sha256(content.data)[:DIGEST]})\n"
    try:
        return content.data.decode()
    except UnicodeDecodeError:
        return f"(not text, sha256 {sha256(content.data)[:DIGEST]})\n"
