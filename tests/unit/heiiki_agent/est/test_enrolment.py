"""The program in front of a real CA: first certificates and next ones, each request answered once."""

import base64
import shutil
import signal
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from est_world import CISCO, ESP, VOUCHER, EstWorld
from waiting import awaited

from heiiki_agent.pki.x509 import Certificate


def pem(certificate: object) -> bytes:
    return certificate.public_bytes(Encoding.PEM)  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize("name", [CISCO, ESP])
def test_a_device_gets_its_first_certificate_for_its_secret(world: EstWorld, name: str) -> None:
    device, made = world.certified(name)
    identity = world.plan.device(name).identity
    assert identity
    assert made.public_key() == device.key.public_key()
    found = Certificate(made)
    assert (found.subject, set(found.names.dns), set(found.names.uris), found.names.addresses) == (
        f"CN={identity.common_name}",
        set(identity.dns),
        set(identity.uris),
        (),
    )


def test_the_cas_that_are_handed_out_vouch_for_the_certificate(world: EstWorld) -> None:
    _, made = world.certified(CISCO)
    (world.folder / "cas.pem").write_bytes(b"".join(map(pem, world.ask("GET", "cacerts").certificates)))
    (world.folder / "made.pem").write_bytes(pem(made))
    command = ["openssl", "verify", "-CAfile", "cas.pem", "made.pem"]
    done = subprocess.run(command, cwd=world.folder, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, b"made.pem: OK\n")


def test_what_a_request_has_to_be_is_asn_1_as_openssl_reads_it(world: EstWorld) -> None:
    found = world.ask("GET", "csrattrs")
    assert (found.status, found.headers["content-type"]) == (200, "application/csrattrs")
    der = base64.b64decode(found.body)
    done = subprocess.run(
        ["openssl", "asn1parse", "-inform", "DER"], input=der, capture_output=True, check=True
    )
    objects = [line.rpartition(":")[2] for line in done.stdout.decode().splitlines() if "OBJECT" in line]
    assert objects == ["id-ecPublicKey", "prime256v1", "ecdsa-with-SHA256"]


def test_the_same_request_gets_the_same_certificate_and_the_ca_makes_one(world: EstWorld) -> None:
    device, secret, before = world.device(CISCO), world.secret(CISCO), world.issued(CISCO)
    request = device.request()
    first = world.enrol(device, secret, request).certificate
    world.end(signal.SIGKILL)
    world.start()
    # Another request for the same key too: a device that lost the answer may have made it anew.
    again = [world.enrol(device, secret, one).certificate for one in (request, device.request())]
    assert [one.serial_number for one in again] == [first.serial_number] * 2
    assert world.issued(CISCO) == before + 1


def test_requests_that_come_at_once_get_one_certificate(world: EstWorld) -> None:
    device, secret, before = world.device(CISCO), world.secret(CISCO), world.issued(CISCO)
    request = device.request()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: world.enrol(device, secret, request), range(8)))
    assert len({one.certificate.serial_number for one in answers}) == 1
    assert world.issued(CISCO) == before + 1


def test_an_answer_that_is_lost_is_given_again(world: EstWorld) -> None:
    device, secret, before = world.device(CISCO), world.secret(CISCO), world.issued(CISCO)
    body = base64.encodebytes(device.request())
    told = base64.b64encode(f"{device.name}:{secret}".encode()).decode()
    head = (
        f"POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {told}\r\n"
        f"Content-Type: application/pkcs10\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with (
        socket.create_connection(("127.0.0.1", world.port), 20) as line,
        world.context().wrap_socket(line, server_hostname=world.name) as tls,
    ):
        tls.sendall(head.encode() + body)
    awaited("the CA has signed", lambda: world.issued(CISCO) == before + 1)
    made = world.enrol(device, secret).certificate
    assert made.public_key() == device.key.public_key()
    assert world.issued(CISCO) == before + 1


def test_a_device_renews_by_its_present_certificate(world: EstWorld) -> None:
    shown = world.certified(CISCO)
    after, before = world.device(CISCO), world.issued(CISCO)
    request = after.request()
    made = world.reenrol(shown, request).certificate
    assert made.public_key() == after.key.public_key()
    assert made.serial_number != shown[1].serial_number
    # The answer may have been lost; the device still has the certificate of before.
    assert world.reenrol(shown, request).certificate == made
    assert world.issued(CISCO) == before + 1
    newest = world.device(CISCO)
    assert world.reenrol((after, made), newest.request()).certificate.public_key() == newest.key.public_key()


def test_it_is_kept_why_each_device_was_trusted(world: EstWorld) -> None:
    device, made = world.certified(CISCO)
    world.reenrol((device, made), world.device(CISCO).request())
    told = world.told(CISCO)
    assert [(one["trust"], one["state"]) for one in told["secrets"]] == [(VOUCHER, "used")]
    assert [one["trust"] for one in told["certificates"]] == [VOUCHER, "the device's certificate of then"]
    assert told["certificates"][0]["serial"] == Certificate(made).serial


@pytest.mark.skipif(not shutil.which("curl"), reason="there is no curl")
def test_curl_and_openssl_enrol(world: EstWorld, tmp_path: Path) -> None:
    """An operator's tools, beside the client of these tests."""
    secret, url = world.secret(CISCO), f"https://{world.name}:{world.port}/.well-known/est"
    common_name = world.device(CISCO).common_name

    def run(command: str) -> bytes:
        done = subprocess.run(["/bin/sh", "-c", command], cwd=tmp_path, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    curl = (
        f"curl -sS --fail-with-body --cacert {world.folder}/roots.pem "
        f"--resolve {world.name}:{world.port}:127.0.0.1"
    )
    run(
        f"openssl req -new -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 -keyout key.pem "
        f"-subj /CN={common_name} -outform DER | openssl base64 -out request.b64"
    )
    run(
        f"{curl} -u {CISCO}:{secret} -H 'Content-Type: application/pkcs10' "
        f"--data-binary @request.b64 {url}/simpleenroll -o answer.b64"
    )
    run("openssl base64 -d -in answer.b64 | openssl pkcs7 -inform DER -print_certs -out certificate.pem")
    assert run("openssl x509 -in certificate.pem -noout -subject").decode() == f"subject=CN = {common_name}\n"
    run(f"{curl} {url}/cacerts | openssl base64 -d | openssl pkcs7 -inform DER -print_certs -out cas.pem")
    assert run("openssl verify -CAfile cas.pem certificate.pem") == b"certificate.pem: OK\n"
    run(
        f"openssl req -new -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 -keyout next.pem "
        f"-subj /CN={common_name} -outform DER | openssl base64 -out request.b64"
    )
    run("cat certificate.pem cas.pem > chain.pem")
    run(
        f"{curl} --cert chain.pem --key key.pem -H 'Content-Type: application/pkcs10' "
        f"--data-binary @request.b64 {url}/simplereenroll -o answer.b64"
    )
    run("openssl base64 -d -in answer.b64 | openssl pkcs7 -inform DER -print_certs -out next-certificate.pem")
    made = run("openssl x509 -in next-certificate.pem -noout -pubkey")
    assert made == run("openssl pkey -in next.pem -pubout")
