"""Certificates while the service goes on: renewed, revoked, the server gone in the middle.

Every test leaves the lab as it found it, but for newer certificates.
"""

import json
from collections.abc import Sequence

import pytest
from waiting import awaited

from heiiki.pki.enrol import facts, order, planned
from heiiki.pki.revoke import revoke_device
from heiiki.pki.server.login import logged_in
from heiiki.pki.server.policies import AppRole

from .service import CREDENTIALS, HUB, SITE, Service, changed, uninterrupted


def in_use(service: Service, ends: Sequence[str]) -> bool:
    return all(service.status(end)["authenticated"] for end in ends)


def test_nothing_is_due(service: Service) -> None:
    said = service.play("renew")
    assert [host for host, number in changed(said).items() if number] == []


def test_renewal_of_both_ends_interrupts_nothing(service: Service) -> None:
    ends = (SITE, HUB)
    before, old = {end: service.serial(end) for end in ends}, service.associations(HUB, "s0017")
    with uninterrupted(service, SITE, "tun-b"):
        said = service.play("renew", "-e", "heiiki_force=true", "--limit", ",".join(ends))
        assert changed(said) == dict.fromkeys(ends, 1)
        service.pull(*ends)
        awaited("both ends use the new certificates", lambda: in_use(service, ends))
    assert all(service.serial(end) != before[end] for end in ends)
    assert not old & service.associations(HUB, "s0017")
    assert len(service.associations(HUB, "s0017")) == 1, "none that is initiated without end"


@pytest.mark.long
def test_what_was_revoked_at_the_server_alone_is_gone_after_the_next_pull(service: Service) -> None:
    stolen = "namba-gw"
    assert service.associations(HUB, "s0023")
    identity = service.plan.device(stolen).identity
    assert identity
    with uninterrupted(service, SITE, "tun-b"):
        with logged_in(service.access, AppRole.REVOKER) as vault:
            assert revoke_device(vault, service.plan.pki, identity)
        service.pull(HUB)
        awaited("the hub lets it in no more", lambda: not service.associations(HUB, "s0023"))
    said = " ".join(service.play("renew", "--limit", f"{stolen},dras", code=2).split())
    assert f"{stolen} is revoked at the CA on 20" in said
    assert f"; only enrol.yml -e heiiki_device={stolen} lifts it" in said
    service.play("enrol", "-e", f"heiiki_device={stolen}", "-e", "heiiki_same_sim=true")
    awaited("it is let in with its new certificate", lambda: service.associations(HUB, "s0023"))


def short_lived(service: Service, device: str) -> None:
    """Give a device a certificate that is due within seconds."""
    made = json.loads(service.run(device, *CREDENTIALS, "request"))
    shared = planned(service.plan) | facts(service.access.vault, service.plan)
    with logged_in(service.access, AppRole.ENROLLER) as vault:
        token, document = order(vault, shared, device, made["csr"])
    document |= {"token": token, "generation": made["generation"]}
    document["parameters"] = document["parameters"] | {"ttl": "20s"}
    service.run(device, *CREDENTIALS, "install", stdin=json.dumps(document))


def test_only_what_is_due_is_renewed_and_check_mode_shows_it(service: Service) -> None:
    due, other = "umeda-bems", "sakai-bems"
    short_lived(service, due)
    awaited("it is due", lambda: service.status(due)["certificate"]["share_used"] > 0.67, 40)
    before = service.installed()
    looked = service.play("renew", "--check", "--diff", "--limit", f"{due},{other}")
    assert changed(looked) == {due: 1, other: 0}
    assert f"-serial: {before[due][0]}" in looked
    assert "+serial: (a new one)" in looked
    assert "-not after: 20" in looked
    assert changed(service.play("renew", "--limit", f"{due},{other}")) == {due: 1, other: 0}
    after = service.installed()
    assert {name for name in after if after[name] != before[name]} == {due}


@pytest.mark.long
def test_a_server_that_is_gone_in_the_middle_of_a_renewal(service: Service) -> None:
    devices = ["dras", "xmpp", "umeda-bems", SITE]
    limit = ("--limit", ",".join(devices))
    before = service.installed()
    with uninterrupted(service, SITE, "tun-b"):
        run = service.start("renew", "-e", "heiiki_force=true", *limit)
        awaited("the first is renewed", lambda: any(service.serial(one) != before[one][0] for one in devices))
        service.server_dies()
        run.communicate()
        between = service.installed()
        assert all(whole for _, whole in between.values()), "no device has a key without its certificate"
        # Nothing is due, so nothing fails; what is asked for all the same says what it needs.
        assert set(changed(service.play("renew", *limit)).values()) == {0}
        said = service.play("renew", "-e", "heiiki_force=true", *limit, code=2)
        assert "needs a certificate: asked for. issuing certificates needs the Vault server" in " ".join(
            said.split()
        )
        assert service.installed() == between
    service.server_returns()
    left = [one for one in devices if between[one] == before[one]]
    assert changed(service.play("renew", "-e", "heiiki_force=true", "--limit", ",".join(left or devices)))
