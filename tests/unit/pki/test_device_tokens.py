"""What a device's token is good for: one certificate, with the names of the plan."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from cryptography import x509
from vault_calls import CALLS, DENIED, GATEWAY, ROUTER, SIGN, Call, fault, opened
from vault_server import SetUpVault, make_request

from heiiki.errors import VaultFault
from heiiki.pki.issue import mint, signing_call
from heiiki.pki.server.bootstrap import root


def test_a_devices_token_is_an_orphan_for_one_call_and_five_minutes(lab_vault: SetUpVault) -> None:
    wrapped = mint(lab_vault.enroller, lab_vault.identity(GATEWAY))
    auth = lab_vault.running.session(wrapped.token).write("sys/wrapping/unwrap", {})["auth"]
    told = {key: auth[key] for key in ("policies", "num_uses", "orphan", "renewable", "lease_duration")}
    assert told == {
        "policies": ["device"],
        "num_uses": 1,
        "orphan": True,
        "renewable": False,
        "lease_duration": 300,
    }


def test_a_wrapped_token_opens_once(lab_vault: SetUpVault) -> None:
    wrapped = mint(lab_vault.enroller, lab_vault.identity(GATEWAY))
    session = lab_vault.running.session(wrapped.token)
    assert [fault(lambda: session.write("sys/wrapping/unwrap", {})) for _ in range(2)] == [
        None,
        VaultFault.REJECTED,
    ]
    assert wrapped.token not in repr(wrapped)


def changed(**changes: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return what spoils the parameters of a signing call; None takes one out."""

    def spoil(right: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in {**right, **changes}.items() if value is not None}

    return spoil


OTHER = "sakai-gw-b.lab.internal"
SPOILT = {
    "another's common name": changed(common_name=OTHER),
    "another's host name": changed(alt_names=OTHER),
    "another's host name besides": changed(alt_names=f"{GATEWAY}.lab.internal,{OTHER}"),
    "another's URI": changed(uri_sans="urn:heiiki:lab:sakai-gw-b"),
    "an address": changed(ip_sans="10.0.0.1"),
    "an XMPP name": changed(other_sans="1.3.6.1.5.5.7.8.5;UTF8:sakai-bems@lab.internal"),
    "no common name": changed(common_name=None),
    "no host name": changed(alt_names=None),
    "no URI": changed(uri_sans=None),
    "another's URI in a list": changed(uri_sans=["urn:heiiki:lab:sakai-gw-b"]),
    "the key back": changed(format="pem_bundle"),
    "a serial number": changed(serial_number="1"),
    "an end": changed(not_after="2099-01-01T00:00:00Z"),
    "no name of the CN": changed(exclude_cn_from_sans=True),
    "another key usage": changed(key_usage="KeyCertSign"),
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_a_devices_token_signs_the_plans_names_only(
    lab_vault: SetUpVault, spoil: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    identity = lab_vault.identity(GATEWAY)
    path, names = signing_call(lab_vault.trust, identity)
    asked = spoil({**names, "csr": make_request(identity)})
    assert fault(lambda: opened(lab_vault, GATEWAY).write(path, asked)) in {*DENIED, VaultFault.REJECTED}


@pytest.mark.parametrize("device", ["sakai-gw-b", "hub-ce-a", "vault", "operator", "umeda-bems"])
def test_a_devices_token_signs_by_its_own_role_only(lab_vault: SetUpVault, device: str) -> None:
    other = lab_vault.identity(device)
    path, names = signing_call(lab_vault.trust, other)
    asked = {**names, "csr": make_request(other)}
    assert fault(lambda: opened(lab_vault, GATEWAY).write(path, asked)) in DENIED


@pytest.mark.parametrize("call", [call for call in CALLS if call is not SIGN], ids=str)
def test_a_devices_token_does_nothing_else(lab_vault: SetUpVault, call: Call) -> None:
    assert fault(lambda: call(opened(lab_vault, GATEWAY))) in DENIED


def test_a_devices_token_is_used_up_by_one_certificate(lab_vault: SetUpVault) -> None:
    identity, session = lab_vault.identity(GATEWAY), opened(lab_vault, GATEWAY)
    path, names = signing_call(lab_vault.trust, identity)
    asked = {**names, "csr": make_request(identity)}
    assert [fault(lambda: session.write(path, asked)) for _ in range(2)] == [None, VaultFault.TOKEN]


def test_a_life_longer_than_the_plans_is_cut_to_it(lab_vault: SetUpVault) -> None:
    """The server clamps with a warning, where one might expect a refusal."""
    identity = lab_vault.identity(GATEWAY)
    path, names = signing_call(lab_vault.trust, identity)
    asked = {**names, "csr": make_request(identity), "ttl": "87600h"}
    answer = opened(lab_vault, GATEWAY).write(path, asked)
    certificate = x509.load_pem_x509_certificate(answer["data"]["certificate"].encode())
    life = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    clocks = timedelta(hours=1)
    assert life == timedelta(hours=lab_vault.trust.lifetimes.certificate_h) + clocks
    assert answer["warnings"]


def test_the_issuing_ca_signs_no_name_that_the_role_lacks_even_for_root(lab_vault: SetUpVault) -> None:
    """The roles hold as well as the policies: a wrong policy alone opens nothing."""
    identity = lab_vault.identity(GATEWAY)
    with root(lab_vault.access) as session:
        for name in (
            "evil.lab.internal",
            "lab.internal",
            "x.umeda-gw-b.lab.internal",
            f"{ROUTER}.lab.internal",
        ):
            asked = {"csr": make_request(identity), "common_name": name}
            assert fault(partial(session.write, f"pki-issuing/sign/{GATEWAY}", asked)) is VaultFault.REJECTED
