"""The eNB's S1AP messages (3GPP TS 36.413), written and read with pycrate's aligned PER."""

from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

from pycrate_asn1dir import S1AP  # type: ignore[import-untyped]

PORT = 36412
PAYLOAD_PROTOCOL = 18

_PDU = S1AP.S1AP_PDU_Descriptions.S1AP_PDU

# Procedure codes (9.3.7) of what this eNB says.
_INITIAL_CONTEXT_SETUP = 9
_INITIAL_UE_MESSAGE = 12
_UPLINK_NAS = 13
_S1_SETUP = 17
_CONTEXT_RELEASE = 23

# Protocol IE identities (9.3.7).
_MME_UE_ID = 0
_ENB_UE_ID = 8
_ERAB_SETUP_ITEM = 50
_ERAB_SETUP_LIST = 51
_NAS_PDU = 26
_GLOBAL_ENB_ID = 59
_ENB_NAME = 60
_SUPPORTED_TAS = 64
_TAI = 67
_CGI = 100
_ESTABLISHMENT_CAUSE = 134
_DRX = 137

_MACRO_ENB_BITS = 20
_CELL_BITS = 28


@dataclass(frozen=True, slots=True)
class Cell:
    """The one cell of this eNB: PLMN in three octets, tracking area code, eNB identity, name."""

    plmn: bytes
    tac: int
    enb_id: int
    name: str


@dataclass(frozen=True, slots=True)
class Bearer:
    """One E-RAB that the MME asks for: the SGW's end of S1-U, and the NAS message that goes with it."""

    identity: int
    address: IPv4Address
    teid: int
    nas: bytes


@dataclass(frozen=True, slots=True)
class Message:
    """A received PDU.

    Attributes:
        kind: ``initiatingMessage``, ``successfulOutcome`` or ``unsuccessfulOutcome``.
        name: the message, as in the ASN.1.
        values: its protocol IEs by the name of their type.
    """

    kind: str
    name: str
    values: dict[str, Any]

    @property
    def enb_ue_id(self) -> int | None:
        """The UE it is about, if about one; a release command names it in a pair."""
        pair = self.values.get("UE-S1AP-IDs")
        if pair is not None:
            return int(pair[1]["eNB-UE-S1AP-ID"]) if pair[0] == "uE-S1AP-ID-pair" else None
        number = self.values.get("ENB-UE-S1AP-ID")
        return None if number is None else int(number)

    @property
    def mme_ue_id(self) -> int | None:
        """The MME's number of that UE."""
        pair = self.values.get("UE-S1AP-IDs")
        if pair is not None:
            return int(pair[1]["mME-UE-S1AP-ID"] if pair[0] == "uE-S1AP-ID-pair" else pair[1])
        number = self.values.get("MME-UE-S1AP-ID")
        return None if number is None else int(number)

    @property
    def nas(self) -> bytes | None:
        """The NAS message that it carries for the UE, outside a bearer."""
        return self.values.get("NAS-PDU")

    @property
    def cause(self) -> str:
        """The cause as ``group/value``, empty if there is none."""
        cause = self.values.get("Cause")
        return f"{cause[0]}/{cause[1]}" if cause else ""

    @property
    def bearers(self) -> tuple[Bearer, ...]:
        """The E-RABs of an Initial Context Setup Request."""
        items = self.values.get("E-RABToBeSetupListCtxtSUReq", [])
        return tuple(_bearer(item["value"][1]) for item in items)


def _bearer(item: dict[str, Any]) -> Bearer:
    value, length = item["transportLayerAddress"]
    return Bearer(
        identity=item["e-RAB-ID"],
        # A dual-stack transport address (TS 36.414 5.3) starts with the 32 bits of IPv4.
        address=IPv4Address(value >> (length - 32)),
        teid=int.from_bytes(item["gTP-TEID"], "big"),
        nas=item.get("nAS-PDU", b""),
    )


def parse(data: bytes) -> Message:
    """Read one PDU.

    Raises:
        ValueError: it is not an S1AP PDU.
    """
    try:
        _PDU.from_aper(data)
        kind, outcome = _PDU.get_val()
        name, content = outcome["value"]
        values = {ie["value"][0]: ie["value"][1] for ie in content["protocolIEs"]}
    except Exception as error:  # pycrate raises many kinds on foreign input, with no common base
        raise ValueError(f"not an S1AP PDU of {len(data)} bytes: {error}") from error
    return Message(kind, name, values)


def _ie(identity: int, name: str, value: Any, criticality: str = "reject") -> dict[str, Any]:
    return {"id": identity, "criticality": criticality, "value": (name, value)}


def _encode(kind: str, code: int, name: str, ies: list[dict[str, Any]], criticality: str = "ignore") -> bytes:
    content = {"procedureCode": code, "criticality": criticality, "value": (name, {"protocolIEs": ies})}
    _PDU.set_val((kind, content))
    return bytes(_PDU.to_aper())


def _ue_ids(mme_ue_id: int, enb_ue_id: int, criticality: str = "reject") -> list[dict[str, Any]]:
    return [
        _ie(_MME_UE_ID, "MME-UE-S1AP-ID", mme_ue_id, criticality),
        _ie(_ENB_UE_ID, "ENB-UE-S1AP-ID", enb_ue_id, criticality),
    ]


def _place(cell: Cell) -> list[dict[str, Any]]:
    cell_identity = (cell.enb_id << (_CELL_BITS - _MACRO_ENB_BITS) | 1, _CELL_BITS)
    return [
        _ie(_CGI, "EUTRAN-CGI", {"pLMNidentity": cell.plmn, "cell-ID": cell_identity}, "ignore"),
        _ie(_TAI, "TAI", {"pLMNidentity": cell.plmn, "tAC": cell.tac.to_bytes(2, "big")}, "ignore"),
    ]


def s1_setup_request(cell: Cell) -> bytes:
    """S1 Setup Request (8.7.3)."""
    identity = {"pLMNidentity": cell.plmn, "eNB-ID": ("macroENB-ID", (cell.enb_id, _MACRO_ENB_BITS))}
    areas = [{"tAC": cell.tac.to_bytes(2, "big"), "broadcastPLMNs": [cell.plmn]}]
    ies = [
        _ie(_GLOBAL_ENB_ID, "Global-ENB-ID", identity),
        _ie(_ENB_NAME, "ENBname", cell.name, "ignore"),
        _ie(_SUPPORTED_TAS, "SupportedTAs", areas),
        _ie(_DRX, "PagingDRX", "v64", "ignore"),
    ]
    return _encode("initiatingMessage", _S1_SETUP, "S1SetupRequest", ies, "reject")


def initial_ue_message(cell: Cell, enb_ue_id: int, nas: bytes) -> bytes:
    """Initial UE Message (8.6.2.1) with the first NAS message of a UE."""
    cgi, tai = _place(cell)
    tai["criticality"] = "reject"
    ies = [
        _ie(_ENB_UE_ID, "ENB-UE-S1AP-ID", enb_ue_id),
        _ie(_NAS_PDU, "NAS-PDU", nas),
        tai,
        cgi,
        _ie(_ESTABLISHMENT_CAUSE, "RRC-Establishment-Cause", "mo-Signalling", "ignore"),
    ]
    return _encode("initiatingMessage", _INITIAL_UE_MESSAGE, "InitialUEMessage", ies)


def uplink_nas_transport(cell: Cell, mme_ue_id: int, enb_ue_id: int, nas: bytes) -> bytes:
    """Uplink NAS Transport (8.6.2.3)."""
    ies = [*_ue_ids(mme_ue_id, enb_ue_id), _ie(_NAS_PDU, "NAS-PDU", nas), *_place(cell)]
    return _encode("initiatingMessage", _UPLINK_NAS, "UplinkNASTransport", ies)


def initial_context_setup_response(
    mme_ue_id: int, enb_ue_id: int, bearer_identity: int, address: IPv4Address, teid: int
) -> bytes:
    """Initial Context Setup Response (8.3.1): the eNB's end of S1-U is `address` and `teid`."""
    item = {
        "e-RAB-ID": bearer_identity,
        "transportLayerAddress": (int(address), 32),
        "gTP-TEID": teid.to_bytes(4, "big"),
    }
    ies = [
        *_ue_ids(mme_ue_id, enb_ue_id, "ignore"),
        _ie(
            _ERAB_SETUP_LIST,
            "E-RABSetupListCtxtSURes",
            [_ie(_ERAB_SETUP_ITEM, "E-RABSetupItemCtxtSURes", item, "ignore")],
            "ignore",
        ),
    ]
    return _encode("successfulOutcome", _INITIAL_CONTEXT_SETUP, "InitialContextSetupResponse", ies, "reject")


def context_release_complete(mme_ue_id: int, enb_ue_id: int) -> bytes:
    """UE Context Release Complete (8.3.3)."""
    ies = _ue_ids(mme_ue_id, enb_ue_id, "ignore")
    return _encode("successfulOutcome", _CONTEXT_RELEASE, "UEContextReleaseComplete", ies, "reject")
