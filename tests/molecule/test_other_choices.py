"""What a service may choose and the worked example does not, all at once, in a lab of its own.

Optical lines that carry traffic, IEEE 802.1X on a wire, OpenADR over XMPP, and enrolment by EST.
"""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import optical_service
import pytest

from .commands import Commands
from .service import changed

pytestmark = pytest.mark.long

_ON_AIR, _ON_A_WIRE = "{medium: wifi, channel: 6}", "{medium: wired, access: dot1x}"
_CHOICES = "openadr: {transport: xmpp}\nenrolment: est\n"
_PROGRAM = "umeda-ce-a/pppd-dead"
"""Of all faults the one that no other lab has: the session on the line that carries traffic ends."""


class Other(Commands):
    """Programs beside the lab of the service in folder `inventory`."""

    @property
    def inventory(self) -> Path:
        return self.state / "service"

    def play(self, playbook: str, *arguments: str) -> str:
        folders = (f"heiiki_{one}={self.state / one}" for one in ("build", "artifacts"))
        words = [word for folder in folders for word in ("-e", folder)]
        return self.run(
            "ansible-playbook", "-i", self.inventory, f"playbooks/{playbook}.yml", *words, *arguments
        )


@pytest.fixture(scope="module")
def other(root: Path) -> Iterator[Other]:
    with tempfile.TemporaryDirectory(prefix="heiiki-") as folder:
        commands = Other(root, Path(folder))
        shutil.copytree(optical_service.FOLDER, commands.inventory)
        site = commands.inventory / "sites" / "0023-namba.yml"
        text = site.read_text("utf-8")
        assert _ON_AIR in text
        site.write_text(text.replace(_ON_AIR, _ON_A_WIRE), "utf-8")
        with (commands.inventory / "service.yml").open("a", encoding="utf-8") as service:
            service.write(_CHOICES)
        try:
            commands.run("heiiki", "lab", "up", commands.inventory)
            commands.play("site")
            yield commands
        finally:
            commands.run("heiiki", "lab", "down")


def test_a_second_run_changes_nothing(other: Other) -> None:
    assert set(changed(other.play("site")).values()) == {0}


def test_no_requirement_fails(other: Other) -> None:
    said = other.play("verify", "-e", f"heiiki_verify_faults={_PROGRAM}")
    assert f"{_PROGRAM}: " in said
    assert " 0 fail" in said


def test_every_site_answers_an_event(other: Other) -> None:
    said = other.run(
        "heiiki", "event", "send", other.inventory, "--value", "-5", "--duration", "PT1M", "--wait", "30"
    )
    assert said.count("optIn") == len(list((other.inventory / "sites").iterdir())), said
