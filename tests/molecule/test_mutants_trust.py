"""A verification that cannot fail proves nothing: mutants of keys, certificates, lists and IKE daemons."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from .mutants import (
    AGENT,
    RELOAD_FILTER,
    Act,
    Argv,
    Bench,
    TrustMutant,
    chosen,
    differing,
    sh,
    try_trust_mutant,
)

ACCESS, THEFT = "R-SEC-ACCESS", "R-THEFT"
SWANCTL, MUTANT, PKI = "/etc/swanctl/swanctl.conf", "/run/mutant.conf", "/etc/heiiki/pki"
_PROGRAM = f"""
import pathlib, sys
sys.path.insert(0, {AGENT!r})
from heiiki_agent import files
from heiiki_agent.pki.store import Store
store = Store(pathlib.Path({PKI!r}))
files.write(store.folder / "loaded", store.digest())
"""
LOADED = ("python3", "-Bc", _PROGRAM)
"""Have it look as if all that is there had been loaded: lists grow old without a change of theirs."""


def at(device: str, *commands: Argv) -> Act:
    def act(bench: Bench) -> None:
        for argv in commands:
            bench.call(device, argv)

    return act


def both(*acts: Act) -> Act:
    def act(bench: Bench) -> None:
        for one in acts:
            one(bench)

    return act


def loads(device: str, edit: str) -> Act:
    """The IKE daemon is given connections edited by sed, behind the back of its file."""
    load = f"swanctl --load-conns --file {MUTANT}"
    return at(device, sh(f"sed '{edit}' {SWANCTL} > {MUTANT} && {load}"))


def watch_is(signal: str) -> Argv:
    """The watch is held while a mutant lives: it would load, or mend, what it finds within the minute."""
    return ("systemctl", "kill", f"--signal={signal}", "heiiki-revocation")


def wears_the_certificate_of(thief: str, victim: str) -> Act:
    """A generation of the store that is another device's, whole and in itself good."""

    def act(bench: Bench) -> None:
        bench.call(thief, watch_is("STOP"))
        bench.call(thief, sh(f"readlink {PKI}/current > {MUTANT}; mkdir -m 0700 {PKI}/generations/9999"))
        for name in ("key.pem", "certificate.pem", "chain.pem"):
            stolen = bench.call(victim, ("cat", f"{PKI}/current/{name}"))
            bench.call(thief, sh(f"umask 077; cat > {PKI}/generations/9999/{name}"), stolen)
        bench.call(thief, sh(f"ln -sfn generations/9999 {PKI}/current"))

    return act


def outlived(pem: bytes) -> bytes:
    """The same revocation lists as of last week."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    lists = b""
    for block in re.findall(rb"-----BEGIN X509 CRL-----.*?-----END X509 CRL-----\n", pem, re.DOTALL):
        old = x509.load_pem_x509_crl(block)
        new = x509.CertificateRevocationListBuilder().issuer_name(old.issuer)
        new = new.last_update(now - timedelta(days=7)).next_update(now - timedelta(days=4))
        for extension in old.extensions:
            new = new.add_extension(extension.value, extension.critical)
        lists += new.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    return lists


def has_old_lists(device: str) -> Act:
    def act(bench: Bench) -> None:
        bench.call(device, watch_is("STOP"))
        bench.call(device, ("cp", "-p", f"{PKI}/crl.pem", MUTANT))
        bench.call(device, sh(f"cat > {PKI}/crl.pem"), outlived(bench.call(device, ("cat", MUTANT))))
        bench.call(device, LOADED)

    return act


def forged(pem: bytes) -> bytes:
    """The lists of before the last revocation, as they might have been: signed by somebody else."""
    key, lists = ec.generate_private_key(ec.SECP256R1()), b""
    for block in re.findall(rb"-----BEGIN X509 CRL-----.*?-----END X509 CRL-----\n", pem, re.DOTALL):
        new = x509.load_pem_x509_crl(block)
        made = x509.CertificateRevocationListBuilder().issuer_name(new.issuer)
        made = made.last_update(new.last_update_utc).next_update(new.next_update_utc)
        for one in new.extensions:
            value = one.value
            if isinstance(value, x509.CRLNumber):
                value = x509.CRLNumber(value.crl_number - 1)
            made = made.add_extension(value, one.critical)
        lists += made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    return lists


def serves_forged_lists(device: str) -> Act:
    def act(bench: Bench) -> None:
        bench.call(device, watch_is("STOP"))
        bench.call(device, ("cp", "-p", f"{PKI}/crl.pem", MUTANT))
        bench.call(device, sh(f"cat > {PKI}/crl.pem"), forged(bench.call(device, ("cat", MUTANT))))

    return act


def believes_a_foreign_ca(device: str) -> Act:
    """A CA of the service's own name and its list, beside those that the service put there."""

    def act(bench: Bench) -> None:
        key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Heiiki lab root CA 1")])
        basic, day = x509.BasicConstraints(ca=True, path_length=None), timedelta(days=1)
        made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        made = made.serial_number(x509.random_serial_number()).add_extension(basic, critical=True)
        authority = made.not_valid_before(now - day).not_valid_after(now + day).sign(key, hashes.SHA256())
        listed = x509.CertificateRevocationListBuilder().issuer_name(name)
        revoked = listed.last_update(now - day).next_update(now + day).sign(key, hashes.SHA256())
        for folder, one in (("x509ca", authority), ("x509crl", revoked)):
            bench.call(device, sh(f"cat > {FOREIGN.format(folder)}"), one.public_bytes(Encoding.PEM))
        bench.call(device, ("swanctl", "--load-creds", "--noprompt"))

    return act


FOREIGN = "/etc/swanctl/{}/zz.pem"
ENDS = ("dras", "xmpp", "radius", "umeda-bems", "sakai-bems", "namba-erc")
"""They verify others in OpenADR, XMPP or RADIUS, and have both mirrors."""
HUB_SIDE = "/s0017 {/,/^.}/"
WEAK = "s/esp_proposals = .*/esp_proposals = aes128-sha256/"
MORE = r"s/\bproposals = /&aes256-sha256-modp3072,/"
UNPROTECTED = ("nft flush chain inet heiiki output", "nft flush chain inet heiiki encrypted")

MUTANTS = (
    TrustMutant(
        "IPsec policies that were flushed",
        at("umeda-gw-b", ("ip", "xfrm", "policy", "flush")),
        both(at("umeda-gw-b", ("systemctl", "restart", "strongswan")), Bench.settled),
        ("files", "associations", "anchors"),
        {(ACCESS, "live", "umeda-gw-b to hub-ce-b"): "the kernel has no policy"},
    ),
    TrustMutant(
        "a weaker suite",
        both(
            loads("hub-ce-b", f"{HUB_SIDE}{WEAK}"),
            at("umeda-gw-b", ("sed", "-i.kept", WEAK, SWANCTL), ("swanctl", "--load-conns")),
        ),
        both(
            at("hub-ce-b", ("swanctl", "--load-conns")),
            at("umeda-gw-b", ("mv", f"{SWANCTL}.kept", SWANCTL), ("swanctl", "--load-conns")),
        ),
        ("files", "associations"),
        {
            (ACCESS, "config", "umeda-gw-b"): SWANCTL,
            (ACCESS, "live", "umeda-gw-b to hub-ce-b"): "ESP uses AES_CBC-128",
        },
        reloads=True,
    ),
    TrustMutant(
        "a pre-shared key",
        at(
            "umeda-ce-a",
            sh(
                f"echo 'secrets {{ ike-guest {{ secret = letmein }} }}' > {MUTANT}"
                f" && swanctl --load-creds --noprompt --file {MUTANT}"
            ),
        ),
        at("umeda-ce-a", ("swanctl", "--load-creds", "--clear", "--noprompt")),
        ("associations",),
        {(ACCESS, "config", "IKE daemon of umeda-ce-a"): "pre-shared keys are loaded"},
    ),
    TrustMutant(
        "a foreign CA and its list",
        believes_a_foreign_ca("hub-ce-b"),
        at(
            "hub-ce-b",
            ("rm", FOREIGN.format("x509ca"), FOREIGN.format("x509crl")),
            ("swanctl", "--load-creds", "--clear", "--noprompt"),
        ),
        ("associations", "anchors", "certificates"),
        {
            (ACCESS, "config", "trust anchors of hub-ce-b"): "no CA of the service",
            ("R-SEC-ESP", "config", "trust anchors of hub-ce-b"): "no CA of the service",
        },
        representative=True,
    ),
    TrustMutant(
        "a liveness check that nobody waits for",
        loads("hub-ce-b", "s/dpd_delay = .*/dpd_delay = 600s/"),
        at("hub-ce-b", ("swanctl", "--load-conns")),
        ("associations",),
        {
            (ACCESS, "config", "IKE daemon of hub-ce-b"): "dpd_delay is 600",
            ("R-SEC-ESP", "config", "IKE daemon of hub-ce-b"): "dpd_delay is 600",
        },
    ),
    TrustMutant(
        "revocation that need not be known",
        loads("hub-ce-b", "/s0042 {/,/^.}/s/revocation = strict/revocation = ifuri/"),
        at("hub-ce-b", ("swanctl", "--load-conns")),
        ("associations",),
        {(ACCESS, "config", "IKE daemon of hub-ce-b"): "s0042: takes a certificate whose revocation"},
        representative=True,
    ),
    TrustMutant(
        "a suite beside the plan's, that no file has",
        loads("hub-ce-b", f"{HUB_SIDE}{MORE}"),
        at("hub-ce-b", ("swanctl", "--load-conns")),
        ("refusals",),
        {(ACCESS, "live", "IKE by another suite: umeda-gw-b to hub-ce-b"): "MODP_3072"},
    ),
    TrustMutant(
        "the rule that nothing leaves in clear",
        at("umeda-gw-b", *(tuple(rule.split()) for rule in UNPROTECTED)),
        at("umeda-gw-b", RELOAD_FILTER),
        ("files", "clear"),
        {
            (ACCESS, "config", "umeda-gw-b"): "/etc/nftables.conf",
            (ACCESS, "live", "packet filter of umeda-gw-b"): "missing",
            (ACCESS, "live", "tunnel down: umeda-gw-b to hub-ce-b"): "packets in clear",
        },
    ),
    TrustMutant(
        "another device's certificate",
        wears_the_certificate_of("umeda-gw-b", "sakai-gw-b"),
        at(
            "umeda-gw-b",
            sh(f"ln -sfn $(cat {MUTANT}) {PKI}/current; rm -r {PKI}/generations/9999"),
            watch_is("CONT"),
        ),
        ("associations", "certificates"),
        {(ACCESS, "live", "certificate of umeda-gw-b"): "its dns are sakai-gw-b"},
        representative=True,
    ),
    TrustMutant(
        "the watch of revocation lists",
        at("umeda-ce-a", ("systemctl", "stop", "heiiki-revocation")),
        at("umeda-ce-a", ("systemctl", "start", "heiiki-revocation")),
        ("associations", "certificates"),
        {(THEFT, "live", "revocation at umeda-ce-a"): "no watch fetches them"},
    ),
    TrustMutant(
        "revocation lists that have expired",
        has_old_lists("hub-ce-a"),
        at(
            "hub-ce-a",
            ("mv", MUTANT, f"{PKI}/crl.pem"),
            LOADED,
            watch_is("CONT"),
        ),
        ("associations", "certificates"),
        {(THEFT, "live", "revocation at hub-ce-a"): "has expired"},
        representative=True,
    ),
    TrustMutant(
        "an older list in a mirror",
        serves_forged_lists("hub-ce-b"),
        at("hub-ce-b", ("mv", MUTANT, f"{PKI}/crl.pem"), watch_is("CONT")),
        ("associations", "mirrors"),
        {
            (THEFT, "live", f"{name} gets CRLs without the server"): "hub-ce-b: its CRL of "
            for name in ("b-edge", "hub-ce-a", "namba-gw", "sakai-gw-b", "umeda-gw-b", *ENDS)
        },
        representative=True,
    ),
    TrustMutant(
        "a mirror that does not answer",
        at("hub-ce-a", ("systemctl", "stop", "heiiki-crl-mirror")),
        at("hub-ce-a", ("systemctl", "start", "heiiki-crl-mirror")),
        ("associations", "mirrors"),
        {
            (THEFT, "live", f"{name} gets CRLs without the server"): "hub-ce-a gives no CRL"
            for name in ("a-pe1", "hub-ce-b", "namba-gw", "sakai-ce-a", "umeda-ce-a", *ENDS)
        },
    ),
)


@pytest.mark.parametrize("mutant", chosen(MUTANTS, "trust"))
def test_a_mutant_flips_what_is_meant_for_it_and_nothing_else(bench: Bench, mutant: TrustMutant) -> None:
    try_trust_mutant(bench, mutant)


@pytest.mark.representative
def test_after_the_mutants_all_is_as_before(bench: Bench) -> None:
    checks = ("associations", "certificates")
    assert differing(bench.baseline(checks), bench.verdicts(checks)) == set()
