"""libiec61850, which shares no code with ours, as the client: by TLS it discovers, reads and operates."""

import json
import subprocess
import sys
from typing import Any

import pytest
from mms_loopback import DRAS, World

pytest.importorskip("pyiec61850")

CLIENT = """
import json, sys
from pyiec61850 import pyiec61850 as iec
given = json.loads(sys.argv[1])
tls = iec.TLSConfiguration_create()
iec.TLSConfiguration_setClientMode(tls)
iec.TLSConfiguration_setChainValidation(tls, True)
assert iec.TLSConfiguration_setOwnCertificateFromFile(tls, given["certificate"])
assert iec.TLSConfiguration_setOwnKeyFromFile(tls, given["key"], None)
assert iec.TLSConfiguration_addCACertificateFromFile(tls, given["trust"])
line = iec.IedConnection_createWithTlsSupport(tls)
_, error = iec.IedConnection_connect(line, "127.0.0.1", given["port"])
found = {"connect": error}
if found["connect"] == iec.IED_ERROR_OK:
    nodes, _ = iec.IedConnection_getLogicalDeviceDirectory(line, "DER")
    one, found["nodes"] = iec.LinkedList_getNext(nodes), []
    while one:
        found["nodes"].append(iec.toCharP(one.data))
        one = iec.LinkedList_getNext(one)
    control = iec.ControlObjectClient_create("DER/DWGC1.WSpt", line)
    found["model"] = iec.ControlObjectClient_getControlModel(control)
    iec.ControlObjectClient_setOrigin(control, given["order"], 3)
    found["done"] = iec.ControlObjectClient_operate(control, iec.MmsValue_newFloat(given["power"]), 0)
    found["power"] = iec.IedConnection_readFloatValue(line, "DER/DWGC1.WSpt.mxVal.f", iec.IEC61850_FC_MX)
print(json.dumps(found))
"""
"""In a process of its own: a crash of it is not one of the tests."""


def libiec61850(world: World, name: str, power: float) -> dict[str, Any]:
    files = {key: str(file) for key, file in vars(world.credentials[name]).items()}
    given = json.dumps({**files, "port": world.server.port, "order": "foreign-1", "power": power})
    done = subprocess.run([sys.executable, "-c", CLIENT, given], capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_it_finds_the_model_and_its_order_is_done(world: World) -> None:
    found = libiec61850(world, DRAS, -5000.0)
    assert found["connect"] == 0
    assert sorted(found["nodes"]) == [
        "DBAT1",
        "DECP1",
        "DSTO1",
        "DWGC1",
        "FSCH1",
        "LLN0",
        "LPHD1",
        "MMXU1",
    ]
    assert (found["model"], found["done"]) == (1, True)
    assert world.resource.done == ["foreign-1"]
    assert found["power"] == [-5000.0, 0]


def test_it_is_refused_with_another_devices_certificate(world: World) -> None:
    world.credentials["namba.example"] = world.authority.issue("namba.example")
    assert libiec61850(world, "namba.example", 0.0)["connect"] != 0
    assert "refused: a certificate for namba.example" in world.server.said
