"""A device in a folder, and the server that it asks: for tests of its credentials."""

import json
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

from fake_vault import HOST, FakeVault

from heiiki_agent import config
from heiiki_agent.pki.enrol import install, request
from heiiki_agent.pki.settings import Order, Settings
from heiiki_agent.pki.store import Store
from heiiki_agent.pki.verification import why_not
from heiiki_agent.pki.x509 import public_key

PROGRAM = (sys.executable, "-m", "heiiki_agent", "credentials")
WRAPPED, INNER = "wrapped-canary-7f3a", "inner-canary-9c1d"
NAMES = {
    "dns": ["gw.lab.internal"],
    "addresses": ["10.0.0.1"],
    "uris": ["urn:heiiki:lab:gw"],
    "jids": ["gw@lab.internal"],
}
GOOD: dict[str, Any] = {"device": "gw", **NAMES}


class Device:
    """A device in a folder, and the server that it asks."""

    def __init__(self, folder: Path, fake: FakeVault) -> None:
        self.folder, self.fake = folder, fake
        self.file = folder / "credentials.json"
        self.told = folder / "told"
        self.root_list = fake.root.crl(1)
        self.document: dict[str, Any] = {
            **GOOD,
            "folder": str(folder / "pki"),
            "links": {str(folder / "swanctl/private/device.pem"): "key.pem"},
            "ca_folder": str(folder / "swanctl/x509ca"),
            "crl_folder": str(folder / "swanctl/x509crl"),
            "users": [["sh", "-c", f"echo told >> {self.told}"]],
            "revocation": {
                "url": fake.url,
                "host": HOST,
                "mounts": ["pki-issuing", "pki-root"],
                "every_s": 1,
            },
        }
        self.configure()

    def configure(self, **more: Any) -> None:
        self.document |= more
        self.file.write_text(json.dumps(self.document), encoding="utf-8")

    @property
    def settings(self) -> Settings:
        return config.read(Settings, self.file)

    @property
    def store(self) -> Store:
        return Store(self.settings.folder)

    def order(self, generation: int, **more: Any) -> str:
        order = {
            "token": WRAPPED,
            "url": self.fake.url,
            "host": HOST,
            "path": "pki-issuing/sign/gateway",
            "parameters": {"common_name": "gw.lab.internal"},
            "names": NAMES,
            "generation": generation,
            "anchors": [self.fake.root.pem],
            "server_anchors": [],
        }
        return json.dumps(order | more)

    def enrol(self, **more: Any) -> int:
        generation: int = request(self.settings)["generation"]
        install(self.settings, config.parse(Order, self.order(generation, **more), "standard input"))
        return generation

    def told_times(self) -> int:
        return len(self.told.read_text().splitlines()) if self.told.exists() else 0

    def publish_crls(self, number: int, *serials: int) -> None:
        self.fake.crls = {
            "pki-issuing": {"i": (self.fake.issuing, self.fake.issuing.crl(number, serials))},
            "pki-root": {"r": (self.fake.root, self.root_list)},
        }

    def run(self, command: str, given: str = "") -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*PROGRAM, "--config", str(self.file), command],
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )


def sound(store: Store) -> bool:
    """Whether what is in use is whole and fits together; an empty store is."""
    current = store.current()
    if current is None:
        return not (store.folder / "current").exists()
    folder = store.folder / "current"
    leaf, chain = store.certificates("current/certificate.pem"), store.certificates("current/chain.pem")
    mode = stat.S_IMODE((folder / "key.pem").stat().st_mode)
    roots = store.certificates("roots.pem")
    return (
        mode == 0o600
        and leaf[0].spki == public_key((folder / "key.pem").read_text())
        and not why_not(leaf[0], chain, roots)
    )
