"""`heiiki est secret | list | withdraw | admit`: devices that enrol by themselves, by EST (RFC 7030)."""

from pathlib import Path

import click

from heiiki import service as use_cases
from heiiki.cli.group import examples
from heiiki.cli.service import Folder, opened
from heiiki.cli.table import columns
from heiiki.cli.terminal import say


@click.group(
    help=(
        "Make, list and withdraw the secrets by which devices that no role enrols get their first "
        "certificate by EST (RFC 7030): routers of vendors, and systems of energy service providers.\n\n"
        "The registration authority on the DRAS is asked, on its host."
    ),
    epilog=examples(
        'heiiki est secret DIR kitano-ce-a --trust "voucher 123"',
        "heiiki est list inventories/osaka",
        "heiiki est withdraw DIR kitano-ce-a",
    ),
)
def est() -> None:
    """Let devices enrol by EST."""


@est.command(
    short_help="Make a secret for a device's first certificate.",
    help=(
        "Make a secret of DEVICE, and print it once: it is good for one certificate, and kept as a "
        "digest.\n\n"
        "The device shows it as the password of HTTP Basic, with its own name as the user. A secret of "
        "before that was not used is withdrawn."
    ),
    epilog=examples(
        'heiiki est secret DIR kitano-ce-a --trust "factory identity SN FCZ1234"',
        'heiiki est secret DIR esp-kansai --trust "on first use, by M. Sato"',
    ),
)
@click.argument("folder", type=Folder())
@click.argument("device", metavar="DEVICE")
@click.option(
    "--trust",
    required=True,
    help="Why it is trusted before it has a certificate: `factory identity ...`, `voucher ...`, or `on first "
    "use, by PERSON`. It is kept with the certificate.",
)
@click.option(
    "--days",
    type=click.IntRange(1, 30),
    default=7,
    show_default=True,
    help="For how long the secret is good.",
)
@click.option(
    "--replacement",
    is_flag=True,
    help="Another device takes the place of one whose newest certificate is revoked.",
)
def secret(folder: Path, device: str, trust: str, days: int, *, replacement: bool) -> None:
    """Make a secret for a device's first certificate."""
    made = use_cases.make_secret(opened(folder), device, trust, days, replacement=replacement)
    say(f"{device}: good for one certificate until {made.ends}; trusted by: {made.trust}", err=True)
    say(made.text)


@est.command("list", short_help="List devices that enrol by EST.", help="List devices that enrol by EST.")
@click.argument("folder", type=Folder())
def list_(folder: Path) -> None:
    """List devices that enrol by EST."""
    rows = []
    for one in use_cases.list_enrolled(opened(folder)):
        rows += [(one.device, f"secret {it.state}", f"until {it.ends}", it.trust) for it in one.secrets]
        rows += [
            (one.device, f"certificate {it.serial}", f"until {it.ends}", it.trust) for it in one.certificates
        ]
        if not (one.secrets or one.certificates):
            rows.append((one.device, "nothing yet", "", ""))
    say(columns(rows) if rows else "no device enrols by EST")


@est.command(
    short_help="Withdraw a device's secret.",
    help="Withdraw the secret of DEVICE that was not used; certificates stay (`heiiki revoke`).",
)
@click.argument("folder", type=Folder())
@click.argument("device", metavar="DEVICE")
def withdraw(folder: Path, device: str) -> None:
    """Withdraw a device's secret."""
    gone = use_cases.withdraw_secret(opened(folder), device)
    say(f"{device}: {'its secret is good no more' if gone else 'had no secret that was good'}")


@est.command(
    short_help="Let the registration authority log in at the Vault server.",
    help=(
        "Have the Vault server take the certificate by which the registration authority logs in. It makes a "
        "new one with 60 of 90 days left; `heiiki est secret`, `heiiki renew` and renew.yml do the same."
    ),
)
@click.argument("folder", type=Folder())
def admit(folder: Path) -> None:
    """Let the registration authority log in at the Vault server."""
    changed = use_cases.admit_registrar(opened(folder))
    say("the Vault server takes its new certificate" if changed else "the Vault server knows its certificate")
