"""The folder with the generations of key and certificate, and what stands beside them."""

import fcntl
import hashlib
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from heiiki_agent import files
from heiiki_agent.errors import AgentError
from heiiki_agent.pki.settings import Anchors
from heiiki_agent.pki.x509 import Certificate, RevocationList, blocks, certificates

LOCK_S = 50.0


class Store:
    """Everything below one folder; nothing is made before it is needed."""

    def __init__(self, folder: Path) -> None:
        """Keep everything below `folder`."""
        self.folder = folder
        self._generations = folder / "generations"
        self._current = folder / "current"

    @contextmanager
    def alone(self, lock: str = "lock") -> Iterator[None]:
        """Keep every other run that takes the same `lock` away, waiting for one that is at work.

        Raises:
            AgentError: it is still at work after `LOCK_S`.
        """
        self._generations.mkdir(parents=True, exist_ok=True)
        deadline = time.monotonic() + LOCK_S
        with (self.folder / lock).open("ab") as handle:
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError as error:
                    if time.monotonic() > deadline:
                        raise AgentError(
                            f"{self.folder}: another run is at work: wait until it is done, then run again"
                        ) from error
                time.sleep(0.05)
            yield

    def path(self, generation: int) -> Path:
        """Return the folder of a generation."""
        return self._generations / str(generation)

    def numbers(self) -> list[int]:
        """Every generation that is there, oldest first."""
        if not self._generations.is_dir():
            return []
        return sorted(int(path.name) for path in self._generations.iterdir() if path.name.isdigit())

    def current(self) -> int | None:
        """Return the generation in use; None before the first."""
        try:
            return int(self._current.readlink().name)
        except FileNotFoundError:
            return None

    def pending(self) -> int | None:
        """Return the generation that waits for its certificate."""
        newer = [number for number in self.numbers() if number > (self.current() or 0)]
        return newer[-1] if newer else None

    def previous(self) -> int | None:
        """Return the generation before the one in use."""
        older = [number for number in self.numbers() if number < (self.current() or 0)]
        return older[-1] if older else None

    def begin(self) -> int:
        """Clear away what was cut off and return the number of a new generation, whose folder is made."""
        current = self.current() or 0
        for number in self.numbers():
            if number > current:
                shutil.rmtree(self.path(number))
        number = max((current, *self.numbers())) + 1
        self.path(number).mkdir(mode=0o755)
        files.sync(self._generations)
        return number

    def switch(self, generation: int) -> None:
        """Make a complete generation the one in use."""
        files.link(self._current, f"generations/{generation}")

    def prune(self, *, keep_previous: bool = True) -> None:
        """Keep the generation in use, the one before where that is asked for, and what is newer."""
        kept = {self.current(), self.previous()} if keep_previous else {self.current()}
        for number in self.numbers():
            if number not in kept and number < (self.current() or 0):
                shutil.rmtree(self.path(number))

    def read(self, name: str) -> str:
        """Return the text of a file, empty when there is none."""
        try:
            return (self.folder / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""

    def certificates(self, name: str) -> list[Certificate]:
        """Return the certificates of a file, none when there is no such file."""
        try:
            return certificates(self.read(name))
        except ValueError as error:
            raise AgentError(f"{self.folder / name}: {error}; enrol the device again") from error

    def lists(self) -> list[RevocationList]:
        """Return the CRLs that are there."""
        try:
            return [RevocationList.read(pem) for pem in blocks(self.read("crl.pem"), "X509 CRL")]
        except ValueError as error:
            raise AgentError(f"{self.folder / 'crl.pem'}: {error}; remove it and pull again") from error

    def authorities(self) -> list[Certificate]:
        """Return every CA that is known here, each once: anchors, chain, and others below the anchors."""
        names = ("roots.pem", "current/chain.pem", "issuers.pem")
        found = [certificate for name in names for certificate in self.certificates(name)]
        return list({certificate.sha256: certificate for certificate in found}.values())

    def keep_anchors(self, anchors: Anchors) -> bool:
        """Write trust anchors where they differ; return whether they did."""
        changed = False
        for name, texts in (("roots.pem", anchors.anchors), ("server.pem", anchors.server_anchors)):
            if self.read(name) != "".join(texts):
                files.write(self.folder / name, "".join(texts))
                changed = True
        return changed

    def digest(self) -> str:
        """Digests of what users load: of all but the CRLs, and of the CRLs."""
        names = ("roots.pem", "issuers.pem", "current/certificate.pem", "current/chain.pem")
        texts = [str(self.current()), *(self.read(name) for name in names)]
        return f"{_digest(chr(0).join(texts))} {_digest(self.read('crl.pem'))}"

    def differs_in_lists(self) -> bool:
        """Return whether CRLs are all in which this differs from what users were told of.

        The CAs are the same then, so each CRL that was there is there, or a newer one.
        """
        told, there = self.read("loaded").split(), self.digest().split()
        return told != there and told[:1] == there[:1]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
