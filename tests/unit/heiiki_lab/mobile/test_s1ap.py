"""S1AP as the eNB writes it, and what it reads of the MME's."""

from ipaddress import IPv4Address

import pytest

from heiiki_lab.mobile import s1ap
from heiiki_lab.mobile.s1ap import Bearer, Cell

CELL = Cell(bytes.fromhex("44f001"), 7, 1, "enb")


def test_setup_request_names_cell_and_area() -> None:
    message = s1ap.parse(s1ap.s1_setup_request(CELL))
    assert (message.kind, message.name) == ("initiatingMessage", "S1SetupRequest")
    assert message.values["Global-ENB-ID"]["eNB-ID"] == ("macroENB-ID", (1, 20))
    assert message.values["SupportedTAs"][0] == {"tAC": b"\0\x07", "broadcastPLMNs": [CELL.plmn]}


def test_messages_name_the_ue() -> None:
    for data in (
        s1ap.uplink_nas_transport(CELL, 5, 3, b"nas"),
        s1ap.context_release_complete(5, 3),
        s1ap.initial_context_setup_response(5, 3, 5, IPv4Address("192.0.2.1"), 9),
    ):
        message = s1ap.parse(data)
        assert (message.mme_ue_id, message.enb_ue_id) == (5, 3)


def test_initial_ue_message_carries_the_nas() -> None:
    message = s1ap.parse(s1ap.initial_ue_message(CELL, 3, b"attach"))
    assert (message.enb_ue_id, message.mme_ue_id, message.nas) == (3, None, b"attach")


def test_context_setup_gives_the_bearer() -> None:
    item = {
        "e-RAB-ID": 5,
        "e-RABlevelQoSParameters": {
            "qCI": 9,
            "allocationRetentionPriority": {
                "priorityLevel": 8,
                "pre-emptionCapability": "shall-not-trigger-pre-emption",
                "pre-emptionVulnerability": "not-pre-emptable",
            },
        },
        "transportLayerAddress": (int(IPv4Address("192.0.2.3")), 32),
        "gTP-TEID": b"\0\0\0\x2a",
        "nAS-PDU": b"accept",
    }
    item_ie = {"id": 52, "criticality": "reject", "value": ("E-RABToBeSetupItemCtxtSUReq", item)}
    ies = [{"id": 24, "criticality": "reject", "value": ("E-RABToBeSetupListCtxtSUReq", [item_ie])}]
    data = s1ap._encode("initiatingMessage", 9, "InitialContextSetupRequest", ies, "reject")
    assert s1ap.parse(data).bearers == (Bearer(5, IPv4Address("192.0.2.3"), 42, b"accept"),)


def test_release_command_names_the_ue_in_a_pair() -> None:
    pair = ("uE-S1AP-ID-pair", {"mME-UE-S1AP-ID": 5, "eNB-UE-S1AP-ID": 3})
    cause = ("nas", "detach")
    ies = [
        {"id": 99, "criticality": "reject", "value": ("UE-S1AP-IDs", pair)},
        {"id": 2, "criticality": "ignore", "value": ("Cause", cause)},
    ]
    message = s1ap.parse(s1ap._encode("initiatingMessage", 23, "UEContextReleaseCommand", ies, "reject"))
    assert (message.mme_ue_id, message.enb_ue_id, message.cause) == (5, 3, "nas/detach")


@pytest.mark.parametrize("data", [b"", b"\xff\xff", b"\0\x11"])
def test_foreign_pdu(data: bytes) -> None:
    with pytest.raises(ValueError, match="not an S1AP PDU"):
        s1ap.parse(data)
