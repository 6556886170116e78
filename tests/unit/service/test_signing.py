"""A certificate for an ESP's system: by the plan's names alone, under one token, and for no device."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from fake_vault import Authority
from vendor_service import FOLDER as VENDORS

from heiiki.cli.main import cli
from heiiki.errors import CertificateError
from heiiki.pki import enrol
from heiiki.pki.server.roles import revoked_role
from heiiki.service import opened, sign, signing

SYSTEM = "esp-kansai"


def request(name: str) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM).decode()


class Server:
    """Answers as the Vault server does, and notes what was written with which token."""

    def __init__(self) -> None:
        self.root = Authority("root")
        self.issuing = Authority("issuing", self.root)
        self.written: list[tuple[str, str, dict[str, Any]]] = []
        self.role: dict[str, Any] = {"allowed_domains": ["esp-kansai.lab.internal"]}
        self._by = "enroller"

    def with_token(self, token: str) -> "Server":
        other = object.__new__(Server)
        other.__dict__ = {**self.__dict__, "_by": token}
        return other

    def read(self, _path: str) -> dict[str, Any]:
        return self.role

    def write(self, path: str, values: dict[str, Any], **_: Any) -> dict[str, Any]:
        self.written.append((self._by, path, values))
        if path.startswith("auth/token/create/"):
            return {"wrap_info": {"token": "wrapped", "ttl": 90}}
        if path == "sys/wrapping/unwrap":
            return {"auth": {"client_token": "once"}}
        asked = x509.load_pem_x509_csr(values["csr"].encode())
        made = self.issuing.sign(asked.public_key(), "esp-kansai.lab.internal", None)
        pem = made.public_bytes(serialization.Encoding.PEM).decode()
        return {"data": {"certificate": pem, "ca_chain": [self.issuing.pem, self.root.pem]}}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    found = Server()

    @contextmanager
    def logged_in(*_: Any) -> Iterator[Server]:
        yield found

    facts = {"anchors": [found.root.pem], "server_anchors": [], "issuer_sha256": ""}
    monkeypatch.setattr(signing, "logged_in", logged_in)
    monkeypatch.setattr(enrol, "facts", lambda *_: facts)
    monkeypatch.setattr("heiiki.service.model.Service.vault", lambda *_: None)
    return found


def test_it_is_signed_by_a_token_for_one_call_under_the_names_of_the_plan(
    server: Server, lab_inventory: Path
) -> None:
    csr = request("esp-kansai.lab.internal")
    made = sign(opened(lab_inventory), SYSTEM, csr)
    assert [(token, path) for token, path, _ in server.written] == [
        ("enroller", "auth/token/create/esp-kansai"),
        ("wrapped", "sys/wrapping/unwrap"),
        ("once", "pki-issuing/sign/esp-kansai"),
    ]
    last = server.written[-1][2]
    assert last["csr"] == csr
    assert last["alt_names"] == "esp-kansai.lab.internal"
    assert len(x509.load_pem_x509_certificates(made.certificate.encode())) == 2
    assert made.roots == server.root.pem


@pytest.mark.parametrize("name", ["dras.lab.internal", "esp-denki.lab.internal"])
def test_a_request_for_another_name_is_refused_before_any_token(
    server: Server, lab_inventory: Path, name: str
) -> None:
    with pytest.raises(CertificateError, match="asks for the subject"):
        sign(opened(lab_inventory), SYSTEM, request(name))
    assert server.written == []


def test_one_that_is_revoked_at_the_server_gets_none(server: Server, lab_inventory: Path) -> None:
    server.role = revoked_role(opened(lab_inventory).plan.pki)
    with pytest.raises(CertificateError, match="is revoked at the Vault server"):
        sign(opened(lab_inventory), SYSTEM, request("esp-kansai.lab.internal"))
    assert server.written == []


def test_a_router_of_a_vendor_is_signed_for_under_its_own_name(server: Server) -> None:
    server.role = {"allowed_domains": ["otemae-ce-a.mixed.internal"]}
    sign(opened(VENDORS), "otemae-ce-a", request("otemae-ce-a.mixed.internal"))
    assert [path for _, path, _ in server.written][-1] == "pki-issuing/sign/otemae-ce-a"
    with pytest.raises(CertificateError, match="asks for the subject"):
        sign(opened(VENDORS), "otemae-ce-a", request("umeda-ce-a.mixed.internal"))
    with pytest.raises(CertificateError, match="no vendor's router is called so"):
        sign(opened(VENDORS), "umeda-ce-a", request("umeda-ce-a.mixed.internal"))


@pytest.mark.parametrize("name", ["dras", "umeda-bems", "esp-nobody"])
def test_no_device_is_signed_for(server: Server, lab_inventory: Path, name: str) -> None:
    with pytest.raises(CertificateError, match="known: esp-denki, esp-kansai"):
        sign(opened(lab_inventory), name, request(f"{name}.lab.internal"))
    assert server.written == []


def test_the_command_keeps_both_files(server: Server, lab_inventory: Path, tmp_path: Path) -> None:
    csr, out = tmp_path / "kansai.csr", tmp_path / "kansai"
    csr.write_text(request("esp-kansai.lab.internal"), encoding="ascii")
    arguments = ["sign", str(lab_inventory), SYSTEM, "--csr", str(csr), "--out", str(out)]
    result = CliRunner().invoke(cli, arguments)
    assert (result.exit_code, result.output) == (0, f"{out / 'certificate.pem'}\n{out / 'roots.pem'}\n")
    assert (out / "roots.pem").read_text(encoding="ascii") == server.root.pem
    csr.write_bytes(b"\xff")
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 1
    assert "is no certificate request in PEM" in result.output
