"""Key, request, certificate and anchors: servers that fail, answers that are wrong, the token's traces."""

import json
import re
import shutil
import socket
import stat
import subprocess
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from agent_device import INNER, NAMES, PROGRAM, WRAPPED, Device, sound
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fake_vault import HOST, Authority, FakeVault, general_names
from vault_server import RunningVault

from heiiki_agent import config
from heiiki_agent.errors import AgentError, ServerError
from heiiki_agent.pki import publish, vault
from heiiki_agent.pki.crl import pull
from heiiki_agent.pki.enrol import install, install_anchors, request
from heiiki_agent.pki.report import status
from heiiki_agent.pki.settings import Anchors, Order
from heiiki_agent.pki.time_limit import limited
from heiiki_agent.pki.x509 import Certificate, new_key, public_key


def test_the_request_holds_the_names_and_a_key_on_p256(device: Device) -> None:
    made = request(device.settings)
    asked = x509.load_pem_x509_csr(made["csr"].encode())
    assert asked.is_signature_valid
    assert asked.subject.rfc4514_string() == "CN=gw.lab.internal"
    (extension,) = asked.extensions
    assert extension.value == general_names(NAMES)
    key = device.store.path(made["generation"]) / "key.pem"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    public = asked.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    assert public.curve.name == "secp256r1"
    spki = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert public_key(key.read_text()) == spki


def test_a_second_request_clears_the_first_away(device: Device) -> None:
    assert [request(device.settings)["generation"] for _ in range(2)] == [1, 1]
    assert device.store.numbers() == [1]


def test_key_certificate_and_chain_are_installed_and_told(device: Device) -> None:
    generation = device.enrol()
    assert sound(device.store)
    report = status(device.settings)
    facts = report["certificate"]
    assert (report["generation"], report["pending"], report["problems"]) == (generation, None, [])
    assert facts["names"] == NAMES
    assert facts["key"] == {"algorithm": "EC", "curve": "P-256", "bits": 256}
    assert facts["issuer_sha256"] == Certificate.read(device.fake.issuing.pem).sha256
    assert 9.9 < facts["days_left"] < 10
    assert not report["loaded"]
    publish.reload(device.settings)
    assert status(device.settings)["loaded"]
    assert device.told_times() == 1
    link = device.folder / "swanctl/private/device.pem"
    assert link.read_text() == device.store.read("current/key.pem")
    assert len(list((device.folder / "swanctl/x509ca").iterdir())) == 2


def test_the_order_is_what_vault_gets_and_the_token_opens_once(device: Device) -> None:
    device.enrol()
    (_, unwrap, first), (_, sign, second) = device.fake.asked
    assert (unwrap, first) == ("/v1/sys/wrapping/unwrap", WRAPPED)
    assert (sign, second) == ("/v1/pki-issuing/sign/gateway", INNER)
    assert set(device.fake.bodies[1]) == {"common_name", "csr"}


def test_the_generation_before_is_kept_and_older_ones_go(device: Device) -> None:
    for _ in range(3):
        device.enrol()
    assert device.store.numbers() == [2, 3]


WRONG: dict[str, tuple[str, str, str]] = {
    "sealed": (
        "",
        "sys/wrapping/unwrap: status 503: Vault is sealed: Vault is sealed or not ready: unseal it",
        "sealed",
    ),
    "spent": (
        "unwrap",
        "status 400: wrapping token is not valid or does not exist: the wrapped token is spent or too old. ",
        "spent",
    ),
    "forbidden": ("sign", "permission denied: the token may not do this: apply role pki", "forbidden"),
    "garbage": ("sign", "the answer is not JSON: is this Vault?", "garbage"),
    "garbage at unwrapping": ("unwrap", "the answer is not JSON: is this Vault?", "garbage"),
    "no token": ("unwrap", "sys/wrapping/unwrap: the answer holds no token", "empty"),
    "no certificate": ("sign", "pki-issuing/sign/gateway: the answer holds no certificate", "empty"),
    "drop": ("sign", "no answer to POST pki-issuing/sign/gateway: ", "drop"),
    "cut": ("sign", "no answer to POST pki-issuing/sign/gateway: IncompleteRead", "cut"),
    "hang": ("sign", "no answer to POST pki-issuing/sign/gateway: The read operation timed out", "hang"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_server_that_fails_changes_nothing(
    device: Device, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if case == "hang":
        monkeypatch.setattr(vault, "ANSWER_S", 2.0)  # not the others: on a busy machine TLS alone may take it
    before = device.enrol()
    device.fake.at, message, device.fake.wrong = WRONG[case]
    with pytest.raises(ServerError) as caught:
        device.enrol()
    assert message in str(caught.value)
    assert WRAPPED not in str(caught.value)
    assert device.store.current() == before
    assert sound(device.store)
    device.fake.wrong = ""
    device.enrol()
    assert sound(device.store)


def test_a_server_that_drips_is_given_up(device: Device) -> None:
    device.fake.wrong, device.fake.at = "drip", "sign"
    generation = request(device.settings)["generation"]
    text = device.order(generation)
    with pytest.raises(ServerError, match="was not done within 1 s"), limited(1, "install"):
        install(device.settings, config.parse(Order, text, "standard input"))
    assert device.store.current() is None


def test_a_port_where_nobody_listens(device: Device) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    with pytest.raises(
        ServerError, match=r"no answer to POST sys/wrapping/unwrap: .*Connection refused; start Vault"
    ):
        device.enrol(url=f"https://127.0.0.1:{port}")


def test_the_token_goes_to_nobody_who_is_not_the_server(device: Device) -> None:
    other = Authority("Somebody")
    with pytest.raises(
        ServerError, match=r"certificate is not good for vault.lab.internal: .*; nothing was sent"
    ):
        device.enrol(anchors=[other.pem])
    with pytest.raises(ServerError, match=r"not good for elsewhere.lab.internal: Hostname mismatch"):
        device.enrol(host="elsewhere.lab.internal")
    assert device.fake.asked == []


def test_a_pinned_certificate_of_the_server_alone_is_enough_for_tls(device: Device) -> None:
    other = Authority("Somebody")
    device.fake.signer = Authority("Else", other)
    device.enrol(anchors=[other.pem], server_anchors=[device.fake.root.pem])
    assert sound(device.store)


def _foreign(fake: FakeVault) -> None:
    fake.signer = Authority("Test Issuing", Authority("Test Root"))


ANSWERS: dict[str, tuple[Callable[[FakeVault], Any], str]] = {
    "another key": (
        lambda fake: setattr(fake, "wrong", "another key"),
        "the certificate that came is for another key: not installed; read Vault's log",
    ),
    "more names": (
        lambda fake: fake.names["dns"].append("other.lab.internal"),
        "the certificate that came has the names dns gw.lab.internal, dns other.lab.internal, ",
    ),
    "fewer names": (
        lambda fake: fake.names.update(jids=[]),
        "has the names dns gw.lab.internal, addresses 10.0.0.1, uris urn:heiiki:lab:gw, asked for were ",
    ),
    "foreign CA": (_foreign, "does not verify against the trust anchors: "),
    "no chain": (
        lambda fake: setattr(fake, "chain", [fake.root.pem]),
        "does not verify against the trust anchors: ",
    ),
    "expired": (
        lambda fake: setattr(fake, "since", timedelta(days=-20)),
        "does not verify against the trust anchors: error 10 at 0 depth lookup: certificate has expired",
    ),
    "not yet good": (
        lambda fake: setattr(fake, "since", timedelta(days=2)),
        "does not verify against the trust anchors: error 9 at 0 depth lookup: certificate is not yet valid",
    ),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_a_wrong_certificate_is_not_installed(device: Device, case: str) -> None:
    before = device.enrol()
    fake = device.fake
    fake.names = {kind: list(names) for kind, names in NAMES.items()}
    spoil, message = ANSWERS[case]
    spoil(fake)
    with pytest.raises(AgentError) as caught:
        device.enrol()
    assert message in str(caught.value)
    assert device.store.current() == before
    assert sound(device.store)


def test_an_order_for_other_names_is_refused_before_the_token_is_opened(device: Device) -> None:
    other = {**NAMES, "dns": ["other.lab.internal"]}
    with pytest.raises(AgentError, match=r"^the order is for dns other.lab.internal, .*: compile and apply"):
        device.enrol(names=other)
    assert device.fake.asked == []


def test_an_order_for_another_generation_is_refused(device: Device) -> None:
    request(device.settings)
    with pytest.raises(
        AgentError, match=r"the order is for generation 7, the one that waits is 1: another run"
    ):
        install(device.settings, config.parse(Order, device.order(7), "standard input"))
    device.enrol()
    with pytest.raises(AgentError, match=r"that waits is none: another run came between; run again$"):
        install(device.settings, config.parse(Order, device.order(1), "standard input"))


def test_a_spoilt_generation_is_told(device: Device) -> None:
    device.enrol()
    folder = device.store.folder / "current"
    (folder / "key.pem").chmod(0o644)
    (folder / "chain.pem").unlink()
    first, second, third = status(device.settings)["problems"]
    assert (first, second) == ("key.pem has mode 0644, not 0600", "chain.pem is missing")
    assert "unable to get local issuer certificate" in third
    (folder / "key.pem").write_text(new_key(device.settings.names)[0])
    assert "key.pem is not the certificate's key" in status(device.settings)["problems"]


def test_a_lost_generation_is_replaced_by_one_with_a_new_number(device: Device) -> None:
    device.enrol()
    device.enrol()
    shutil.rmtree(device.store.folder / "generations")
    assert status(device.settings)["certificate"] is None
    assert device.enrol() == 3
    assert sound(device.store)


def test_several_that_tell_users_at_once_do_not_disturb_each_other(device: Device) -> None:
    device.enrol()
    device.configure(users=[["sleep", "0.02"]])
    processes = [
        subprocess.Popen([*PROGRAM, "--config", str(device.file), "reload"], stdout=subprocess.DEVNULL)
        for _ in range(4)
    ]
    assert [process.wait() for process in processes] == [0] * 4
    assert status(device.settings)["loaded"]


def test_a_leaf_is_no_trust_anchor(device: Device) -> None:
    generation = device.enrol()
    leaf = device.store.read("current/certificate.pem")
    with pytest.raises(AgentError, match=r"^trust anchors: CN=gw.lab.internal is no CA: nothing was changed"):
        install_anchors(device.settings, Anchors((leaf,)))
    with pytest.raises(AgentError, match=r"^trust anchors: .*: nothing was changed; run again$"):
        install_anchors(device.settings, Anchors(("no PEM",)))
    with pytest.raises(AgentError, match=r"^trust anchors: CN=gw.lab.internal is no CA: nothing was changed"):
        device.enrol(anchors=[leaf])
    assert device.store.current() == generation


def test_anchors_that_would_orphan_the_device_are_refused(device: Device) -> None:
    device.enrol()
    new = Authority("New Root")
    with pytest.raises(AgentError, match=r"would not verify .*: keep the old root beside the new one until"):
        install_anchors(device.settings, Anchors((new.pem,)))
    both = Anchors((device.fake.root.pem, new.pem))
    assert install_anchors(device.settings, both) == {"changed": True}
    assert install_anchors(device.settings, both) == {"changed": False}
    assert len(device.store.certificates("roots.pem")) == 2


def test_the_token_is_in_no_file_no_argument_and_no_output(device: Device) -> None:
    made = json.loads(device.run("request").stdout)
    done = device.run("install", device.order(made["generation"]))
    assert done.returncode == 0, done.stderr
    outputs = done.stdout + done.stderr
    assert WRAPPED not in outputs
    assert INNER not in outputs
    for path in device.folder.rglob("*"):
        if path.is_file():
            assert b"canary" not in path.read_bytes(), path


def test_failures_have_their_exit_status_and_no_traceback(device: Device) -> None:
    made = json.loads(device.run("request").stdout)
    device.fake.wrong = "sealed"
    done = device.run("install", device.order(made["generation"]))
    assert done.returncode == 3
    assert done.stderr.startswith(f"{device.fake.url}: sys/wrapping/unwrap: status 503")
    assert device.run("install", "nonsense").stderr == "standard input:1:1: is not JSON: Expecting value\n"
    device.file.unlink()
    done = device.run("status")
    assert done.returncode == 1
    assert re.fullmatch(r"/\S+: cannot be read: .*; apply the device's build first\n", done.stderr)


@pytest.fixture(scope="module")
def real(vault_server: RunningVault) -> tuple[RunningVault, str]:
    """PKI engines of this test's own on the run's server; returns the root certificate."""
    root = vault_server.root
    for mount in ("dev-root", "dev-issuing"):
        root.write(f"sys/mounts/{mount}", {"type": "pki", "config": {"max_lease_ttl": "87600h"}})
    ec = {"key_type": "ec", "key_bits": 256}
    anchor = root.write("dev-root/root/generate/internal", {"common_name": "Device Root", **ec})["data"]
    asked = root.write("dev-issuing/intermediate/generate/internal", {"common_name": "Device Issuing", **ec})
    signed = root.write(
        "dev-root/root/sign-intermediate", {"csr": asked["data"]["csr"], "common_name": "Device Issuing"}
    )["data"]["certificate"]
    both = f"{signed}\n{anchor['certificate']}"
    root.write("dev-issuing/intermediate/set-signed", {"certificate": both})
    root.write("dev-issuing/roles/gateway", ROLE)
    rule = '{ capabilities = ["update"] }'
    root.write("sys/policies/acl/dev-gw", {"policy": f'path "dev-issuing/sign/gateway" {rule}'})
    return vault_server, anchor["certificate"]


ROLE = {
    "allowed_domains": NAMES["dns"],
    "allow_bare_domains": True,
    "allowed_uri_sans": NAMES["uris"],
    "allowed_other_sans": ["1.3.6.1.5.5.7.8.5;UTF8:gw@lab.internal"],
    "use_csr_common_name": False,
    "use_csr_sans": False,
    "key_type": "ec",
    "key_bits": 256,
    "ttl": "72h",
}
PARAMETERS = {
    "common_name": "gw.lab.internal",
    "alt_names": "gw.lab.internal",
    "uri_sans": "urn:heiiki:lab:gw",
    "ip_sans": "10.0.0.1",
    "other_sans": "1.3.6.1.5.5.7.8.5;UTF8:gw@lab.internal",
}


def _wrapped(server: RunningVault) -> str:
    asked = {"policies": ["dev-gw"], "num_uses": 1, "ttl": "5m", "no_default_policy": True}
    token: str = server.root.write("auth/token/create", asked, wrap_s=60)["wrap_info"]["token"]
    return token


def test_a_real_server_issues_refuses_and_revokes(device: Device, real: tuple[RunningVault, str]) -> None:
    server, root = real
    url = server.server.url
    where = {"url": url, "host": HOST, "mounts": ["dev-issuing", "dev-root"], "every_s": 1}
    device.configure(revocation=where)
    order = {
        "url": url,
        "path": "dev-issuing/sign/gateway",
        "parameters": PARAMETERS,
        "anchors": [root],
        "server_anchors": [server.server.ca_pem],
    }
    token = _wrapped(server)
    device.enrol(token=token, **order)
    assert sound(device.store)
    assert status(device.settings)["certificate"]["names"] == NAMES
    with pytest.raises(ServerError, match="the wrapped token is spent or too old"):
        device.enrol(token=token, **order)
    wrong = PARAMETERS | {"alt_names": "other.lab.internal"}
    with pytest.raises(
        ServerError, match=r"status 400: subject alternate name other.lab.internal not allowed"
    ):
        device.enrol(token=_wrapped(server), **(order | {"parameters": wrong}))
    with pytest.raises(ServerError, match="the token may not do this"):
        device.enrol(token=_wrapped(server), **(order | {"path": "dev-issuing/sign/other"}))
    assert sound(device.store)
    assert len(pull(device.settings)["changed"]) == 2
    serial = status(device.settings)["certificate"]["serial"]
    server.root.write("dev-issuing/revoke", {"serial_number": serial})
    assert pull(device.settings)["changed"][0].endswith(", 1 revoked")
    assert status(device.settings)["certificate"]["revoked"]
    assert token not in server.audit


# --- a device whose only way to the server is one that its certificate opens


def handed(device: Device, csr: str, **more: Any) -> dict[str, Any]:
    """What the controller hands over in place of a token, for the pending generation."""
    _, body = device.fake.answer("/v1/pki-issuing/sign/gateway", {"csr": csr})
    data = json.loads(body)["data"]
    chain = [pem for pem in data["ca_chain"] if pem != device.fake.root.pem]
    lists = [device.fake.issuing.crl(1, (0x0ABC,)), device.root_list]
    document = json.loads(device.order(device.store.pending() or 0))
    del document["token"]
    return (
        document
        | {"url": "https://127.0.0.1:9", "signed": [data["certificate"], *chain]}
        | {
            "lists": lists,
            **more,
        }
    )


def test_a_certificate_that_is_handed_over_is_installed_with_its_lists(device: Device) -> None:
    order = handed(device, request(device.settings)["csr"])
    install(device.settings, config.parse(Order, json.dumps(order), "standard input"))
    assert sound(device.store)
    assert {serial for one in device.store.lists() for serial in one.serials} == {"0a:bc"}
    assert device.told_times() == 1


def test_a_certificate_for_another_key_is_not_taken(device: Device) -> None:
    order = handed(device, new_key(device.settings.names)[1])
    order["generation"] = request(device.settings)["generation"]
    with pytest.raises(AgentError, match="is for another key"):
        install(device.settings, config.parse(Order, json.dumps(order), "standard input"))
    assert device.store.current() is None


def test_lists_that_are_none_are_named(device: Device) -> None:
    order = handed(device, request(device.settings)["csr"], lists=["no list"])
    with pytest.raises(AgentError, match="the order's lists cannot be read"):
        install(device.settings, config.parse(Order, json.dumps(order), "standard input"))
