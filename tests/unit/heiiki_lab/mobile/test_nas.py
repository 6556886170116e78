"""A UE against an MME that is played here: attach with EPS-AKA and NAS security, and every refusal."""

import json
from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from pycrate_mobile import TS24301_EMM as EMM
from pycrate_mobile import TS24301_ESM as ESM

from heiiki_lab.mobile.keys import derive_kasme, derive_nas_keys, encode_plmn
from heiiki_lab.mobile.milenage import Milenage
from heiiki_lab.mobile.nas import NasUe, Refusal, State, encode_apn, encode_imsi
from heiiki_lab.mobile.nas_security import DOWNLINK, UPLINK, eea2, eia2, security_header
from heiiki_lab.mobile.sim_card import SimError, Usim, load_usim

K, OPC, RAND = bytes(range(16)), bytes(range(16, 32)), bytes(range(32, 48))
PLMN = encode_plmn("440", "10")
IMSI = "440100000000001"
APN = "der-a"


class Mme:
    """The network's half: makes challenges, protects and opens messages."""

    def __init__(self, k: bytes = K) -> None:
        self.milenage = Milenage(k, OPC)
        self.keys = (b"", b"")
        self.down = 0

    def challenge(self, sqn: int, k_asme: bool = True) -> bytes:
        vector = self.milenage.f2_to_f5(RAND)
        number = sqn.to_bytes(6, "big")
        hidden = bytes(a ^ b for a, b in zip(number, vector.ak, strict=True))
        if k_asme:
            self.keys = derive_nas_keys(derive_kasme(vector.ck, vector.ik, PLMN, hidden), 2, 2)
        autn = hidden + b"\x80\0" + self.milenage.f1(RAND, number, b"\x80\0")
        return bytes(EMM.EMMAuthenticationRequest(val={"NAS_KSI": 1, "RAND": RAND, "AUTN": autn}).to_bytes())

    def protect(self, message: bytes, header: int = 2) -> bytes:
        body = eea2(self.keys[0], self.down, 0, DOWNLINK, message) if header in {2, 4} else message
        numbered = bytes([self.down]) + body
        mac = eia2(self.keys[1], self.down, 0, DOWNLINK, numbered)
        self.down += 1
        return bytes([header << 4 | 7]) + mac + numbered

    def open(self, message: bytes) -> bytes:
        count = message[5]
        assert eia2(self.keys[1], count, 0, UPLINK, message[5:]) == message[1:5]
        return eea2(self.keys[0], count, 0, UPLINK, message[6:])

    def security_mode(self, capability: bytes = b"\xa0\x20", algorithms: int = 0x22) -> bytes:
        values = {"NASSecAlgo": bytes([algorithms]), "NAS_KSI": 1, "UESecCap": capability}
        return self.protect(EMM.EMMSecurityModeCommand(val=values).to_bytes(), 3)

    def accept(self, address: str) -> bytes:
        paa = b"\x01" + IPv4Address(address).packed
        values = {"ESMHeader": {"EPSBearerId": 5, "PTI": 1}, "PDNAddr": paa, "APN": encode_apn(APN)}
        bearer = ESM.ESMActDefaultEPSBearerCtxtRequest(val=values).to_bytes()
        return self.protect(
            EMM.EMMAttachAccept(val={"EPSAttachResult": 1, "ESMContainer": bearer}).to_bytes()
        )


@pytest.fixture
def sent() -> list[bytes]:
    return []


@pytest.fixture
def ue(tmp_path: Path, sent: list[bytes]) -> NasUe:
    return NasUe(Usim(IMSI, K, OPC, tmp_path / "sqn"), APN, PLMN, sent.append)


@pytest.fixture
def secured(ue: NasUe, sent: list[bytes]) -> Mme:
    mme = Mme()
    ue.attach()
    ue.receive(mme.challenge(32))
    ue.receive(mme.security_mode())
    assert security_header(sent[-1]) == 4
    return mme


def test_attach(ue: NasUe, sent: list[bytes], secured: Mme) -> None:
    request = ESM.ESMInformationRequest(val={"ESMHeader": {"PTI": 1}}).to_bytes()
    ue.receive(secured.protect(request))
    assert encode_apn(APN) in secured.open(sent[-1])
    ue.receive(secured.accept("10.64.0.11"))
    assert (ue.state, ue.address, ue.refusal) == (State.ATTACHED, IPv4Address("10.64.0.11"), None)
    assert secured.open(sent[-1])[:2] == b"\x07\x43"
    assert len(sent) == 5


def test_attach_request_carries_imsi_and_capability(ue: NasUe, sent: list[bytes]) -> None:
    ue.attach()
    assert encode_imsi(IMSI) in sent[0]
    assert b"\x02\xa0\x20" in sent[0]


def test_response_answers_the_challenge(ue: NasUe, sent: list[bytes]) -> None:
    ue.attach()
    ue.receive(Mme().challenge(32))
    assert sent[-1] == b"\x07\x53\x08" + Milenage(K, OPC).f2_to_f5(RAND).res


def test_network_with_another_key_is_not_believed(ue: NasUe, sent: list[bytes]) -> None:
    ue.attach()
    ue.receive(Mme(bytes(16)).challenge(32))
    assert sent[-1] == b"\x07\x5c\x14"
    ue.receive(EMM.EMMAuthenticationReject().to_bytes())
    assert (ue.state, ue.refusal) == (State.REFUSED, Refusal("Authentication Failure", "EMM", 20))


def test_used_sequence_number_asks_for_resynchronisation(ue: NasUe, sent: list[bytes], secured: Mme) -> None:
    ue.receive(secured.challenge(32, k_asme=False))
    assert sent[-1][:4] == b"\x07\x5c\x15\x30"
    auts, milenage = sent[-1][5:], Milenage(K, OPC)
    sqn = bytes(a ^ b for a, b in zip(auts[:6], milenage.f5_star(RAND), strict=True))
    assert int.from_bytes(sqn, "big") == 32
    assert auts[6:] == milenage.f1_star(RAND, sqn, bytes(2))


def test_sequence_numbers_outlive_the_process(tmp_path: Path, sent: list[bytes]) -> None:
    for expected in (b"\x53", b"\x5c"):
        ue = NasUe(Usim(IMSI, K, OPC, tmp_path / "sqn"), APN, PLMN, sent.append)
        ue.attach()
        ue.receive(Mme().challenge(32))
        assert sent[-1][1:2] == expected


@pytest.mark.parametrize(
    ("message", "refusal"),
    [
        (EMM.EMMAttachReject(val={"EMMCause": b"\x02"}).to_bytes(), Refusal("Attach Reject", "EMM", 2)),
        (EMM.EMMAuthenticationReject().to_bytes(), Refusal("Authentication Reject", "EMM", 0)),
    ],
)
def test_refused_before_security(ue: NasUe, message: bytes, refusal: Refusal) -> None:
    ue.attach()
    ue.receive(message)
    assert (ue.state, ue.refusal) == (State.REFUSED, refusal)


def test_refused_apn_is_followed_by_a_detach(ue: NasUe, sent: list[bytes], secured: Mme) -> None:
    reject = ESM.ESMPDNConnectivityReject(val={"ESMHeader": {"PTI": 1}, "ESMCause": b"\x1b"}).to_bytes()
    ue.receive(secured.protect(reject))
    assert (ue.state, ue.refusal) == (State.REFUSED, Refusal("PDN Connectivity Reject", "ESM", 27))
    assert secured.open(sent[-1])[:2] == b"\x07\x45"


def test_reduced_capability_is_rejected(ue: NasUe, sent: list[bytes]) -> None:
    mme = Mme()
    ue.attach()
    ue.receive(mme.challenge(32))
    ue.receive(mme.security_mode(capability=b"\x80\x20"))
    assert sent[-1] == b"\x07\x5f\x17"


def plain_accept(mme: Mme) -> bytes:
    return eea2(mme.keys[0], 1, 0, DOWNLINK, mme.accept("10.64.0.66")[6:])


def forged(mme: Mme) -> bytes:
    return mme.accept("10.64.0.66")[:-1] + b"!"


@pytest.mark.parametrize(
    "bad", [plain_accept, forged, lambda _: b"", lambda _: b"\x07", lambda _: b"\x17" * 9]
)
def test_what_is_not_protected_is_not_believed(ue: NasUe, secured: Mme, bad: Callable[[Mme], bytes]) -> None:
    ue.receive(bad(secured))
    assert (ue.state, ue.address) == (State.ATTACHING, None)


def test_detach(ue: NasUe, sent: list[bytes], secured: Mme) -> None:
    ue.receive(secured.accept("10.64.0.11"))
    ue.detach()
    assert (ue.state, secured.open(sent[-1])[:2]) == (State.DETACHING, b"\x07\x45")
    ue.receive(secured.protect(EMM.EMMDetachAccept().to_bytes()))
    assert ue.state is State.DETACHED


def test_identities() -> None:
    assert encode_imsi("440100000000001").hex() == "4904010000000010"
    assert encode_imsi("44010000000001").hex() == "41040100000000f1"
    assert encode_apn("der-a.example") == b"\x05der-a\x07example"


def test_sim_file(tmp_path: Path) -> None:
    path = tmp_path / "usim.json"
    path.write_text(json.dumps({"imsi": IMSI, "k": K.hex(), "opc": OPC.hex()}))
    assert load_usim(path, tmp_path).imsi == IMSI


@pytest.mark.parametrize(
    "text", ["", "{}", '{"imsi": "1", "k": "zz", "opc": ""}', '{"imsi": "1", "k": "00", "opc": ""}']
)
def test_sim_file_that_is_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "usim.json"
    path.write_text(text)
    with pytest.raises(SimError, match=r"usim.json: not a SIM"):
        load_usim(path, tmp_path)
