"""The XMPP server of the lab: a revoked device loses its session, and rules that do not hold keep it down."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from waiting import awaited

from heiiki.transport import Completed
from heiiki.verify.ipsec.test_certificates import Credential, VaultAuthority, signed

from .service import Service

MODULE = "/usr/local/lib/heiiki/prosody/mod_auth_heiiki.lua"
HOLD = """
import json, os, pathlib, ssl, sys
sys.path.insert(0, "/usr/local/lib/heiiki/heiiki-agent.pyz")
from heiiki_agent.xmpp.client import Client, Place, RefusedError
given, own = json.loads({given!r}), pathlib.Path("/etc/heiiki/pki/current")
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.load_verify_locations("/etc/heiiki/pki/roots.pem")
def read(text):
    number = os.memfd_create("held")
    os.write(number, text.encode())
    return f"/proc/self/fd/{{number}}"
pair = given["pair"] or [(own / "certificate.pem").read_text(), (own / "key.pem").read_text()]
context.load_cert_chain(*map(read, pair))
held = pathlib.Path("/run/held")
with Client(Place(**given["place"]), context) as client:
    client.log_in("held")
    held.touch()
    client.wait_s = 1.0
    while held.exists():
        try:
            client.read()
        except RefusedError as error:
            if error.cause != "timed out":
                sys.exit(str(error))
print("kept")
"""
"""Holds a session for as long as a file is there, and says how it ended."""


def held(service: Service, device: str, made: Credential | None) -> Completed:
    server = service.plan.device("xmpp").xmpp
    assert server
    place = {"domain": server.domain, "address": str(server.address), "port": server.port}
    pair = [made.certificate, made.key] if made else None
    program = HOLD.format(given=json.dumps({"pair": pair, "place": place}))
    return service.transport.run(device, ("python3", "-"), stdin=program.encode(), timeout=300)


@pytest.mark.representative
def test_a_revoked_device_loses_its_session_and_another_keeps_its_own(
    service: Service, record_property: Callable[[str, object], None]
) -> None:
    authority = VaultAuthority(service.plan, service.access)
    identity = service.plan.device("umeda-bems").identity
    assert identity
    made = signed(authority, identity, "10m")
    # A device is revoked when its newest certificate is, and this one is to lose another certificate only.
    signed(authority, identity, "10m")
    devices = ("umeda-bems", "namba-erc")
    service.run("umeda-bems", "rm", "-f", "/run/held")
    service.run("namba-erc", "rm", "-f", "/run/held")
    with ThreadPoolExecutor(2) as pool:
        stolen = pool.submit(held, service, devices[0], made)
        other = pool.submit(held, service, devices[1], None)
        for device in devices:
            awaited(f"{device} is logged in", lambda device=device: _is_held(service, device))
        began = time.monotonic()
        authority.revoke(made.certificate)
        service.pull("xmpp")
        assert stolen.result().stderr == b"session: not-authorized\n"
        record_property("session_ended_s", round(time.monotonic() - began, 2))
        assert _is_held(service, devices[1])
        assert not other.done()
        service.run(devices[1], "rm", "/run/held")
        assert other.result().stdout == b"kept\n"
    refused = held(service, devices[0], made)
    assert refused.rc == 1
    assert "certificate revoked" in refused.stderr.decode()


def _is_held(service: Service, device: str) -> bool:
    return service.transport.run(device, ("test", "-e", "/run/held")).rc == 0


@pytest.mark.representative
def test_a_server_whose_rules_do_not_hold_does_not_stay_up(service: Service) -> None:
    opened = "s/^local function is_allowed.*/&\\n\\tif true then return true end/"
    service.run("xmpp", "cp", MODULE, "/run/module.lua")
    try:
        service.run("xmpp", "sed", "-i", opened, MODULE)
        done = service.transport.run("xmpp", ("systemctl", "restart", "prosody"))
        assert done.rc != 0
        log = service.run("xmpp", "sh", "-c", "tail -n 200 /var/log/heiiki/prosody.log")
        assert "xmpp@lab.internal/proof may send message to umeda-bems@lab.internal" in log
    finally:
        service.run("xmpp", "sh", "-c", f"cat /run/module.lua > {MODULE}; rm /run/module.lua")
        service.run("xmpp", "systemctl", "restart", "prosody")
    proof = ("python3", "/usr/local/lib/heiiki/heiiki-agent.pyz", "xmpp", "prove", "/etc/heiiki/xmpp.json")
    assert service.run("xmpp", *proof).startswith("xmpp@lab.internal reaches none of ")
