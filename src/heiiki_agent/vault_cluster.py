"""Where the other servers of a cluster reach the Vault server of this node, when that has changed.

Raft keeps the members of a cluster, each with its address, in its own storage, and believes no configuration.
A server that was alone is a member there at an address of its own host, where no other would find it; and one
that is to be alone again would wait for a majority that is gone. Both are put right in the server's way: at
its next start it takes the members from a file `peers.json` beside its storage, and removes that.

So the change to a cluster, and back, is made from one server's storage: the node's own.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from heiiki_agent import config, files
from heiiki_agent.errors import AgentError

RECORD = Path("/var/lib/heiiki/vault-cluster.json")
"""What the server was last started as; none: alone. Root's own: what stands there decides who leads."""
ALONE = "127.0.0.1:8201"
"""Address at which a server without a cluster is a member of its own."""
_MEMBERS, _NEW, _DATABASE = "peers.json", ".peers.json.new", "raft.db"


@dataclass(frozen=True, slots=True)
class Member:
    """The server of this node in its cluster.

    Attributes:
        node_id: its name there.
        address: where the others reach it, ``address:port``.
    """

    node_id: str
    address: str


def settle(member: Member | None, storage: Path, uid: int) -> None:
    """Have the server begin as `member` of a cluster whose only member it is, where it was started otherwise.

    Args:
        member: what it is to be; None: alone.
        storage: folder of its storage.
        uid: user that it runs as.

    Raises:
        AgentError: it is a member of a cluster, by another name or address than now.
        OSError: a file cannot be read or written.
    """
    known = config.read(Member, RECORD) if RECORD.exists() else None
    if member == known:
        return
    if member and known:
        raise AgentError(
            f"the Vault server was {known.node_id} at {known.address} in its cluster, and is to be "
            f"{member.node_id} at {member.address}: a cluster whose members move has no majority. Go to one "
            "server first (`vault_hosts` with one name), then to three"
        )
    one = member or known
    if one is not None:
        _become(Member(one.node_id, member.address if member else ALONE), storage, uid)
    if member:
        RECORD.parent.mkdir(parents=True, exist_ok=True)
        files.write(RECORD, json.dumps(asdict(member)) + "\n")
    else:
        RECORD.unlink()


def _become(member: Member, storage: Path, uid: int) -> None:
    """Write the file of members; without a storage there is nothing to change.

    The folder is the server's own, who must not choose by a link where root writes.
    """
    try:
        folder = os.open(storage / "raft", os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return
    try:
        if not _has(folder, _DATABASE):
            return
        if _has(folder, _NEW):
            os.unlink(_NEW, dir_fd=folder)
        text = json.dumps([{"id": member.node_id, "address": member.address, "non_voter": False}])
        handle = os.open(_NEW, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=folder)
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fchown(handle, uid, -1)
            os.fsync(handle)
        os.rename(_NEW, _MEMBERS, src_dir_fd=folder, dst_dir_fd=folder)
        os.fsync(folder)
    finally:
        os.close(folder)


def _has(folder: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
