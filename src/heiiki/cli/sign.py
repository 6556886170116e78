"""`heiiki sign`: a certificate for the system of an energy service provider, or a router of a vendor."""

from pathlib import Path

import click

from heiiki import service as use_cases
from heiiki.cli.group import examples
from heiiki.cli.service import Folder, opened
from heiiki.cli.terminal import say
from heiiki.errors import CertificateError

_LARGEST = 16_384


@click.command(
    help=(
        "Sign the certificate request of an ESP's system, or of a router of a vendor's platform, and write "
        "its certificate with its CAs.\n\n"
        "The request is made there, by the system's own key, which never leaves it. The certificate is good "
        "for 30 days; `heiiki revoke` bars it."
    ),
    epilog=examples("heiiki sign inventories/osaka esp-kansai --csr kansai.csr --out kansai"),
)
@click.argument("folder", type=Folder())
@click.argument("system", metavar="SYSTEM")
@click.option(
    "--csr",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The request: PKCS #10 in PEM, EC P-256, CN=SYSTEM.DOMAIN.",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder that gets certificate.pem and roots.pem.",
)
def sign(folder: Path, system: str, csr: Path, out: Path) -> None:
    """Sign the certificate request of an ESP's system or a vendor's router."""
    made = use_cases.sign(opened(folder), system, _text(csr))
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, text in (("certificate.pem", made.certificate), ("roots.pem", made.roots)):
            (out / name).write_text(text, encoding="ascii")
            say(f"{out / name}")
    except OSError as error:
        raise CertificateError(f"{out}: {error.strerror}: the certificate cannot be kept there") from error


def _text(csr: Path) -> str:
    try:
        with csr.open("rb") as file:
            return file.read(_LARGEST).decode("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise CertificateError(f"{csr}: is no certificate request in PEM: {error}") from error
