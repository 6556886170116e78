"""The NAS side of a UE (3GPP TS 24.301): attach and detach as a state machine without input or output.

Messages go in and come out as bytes; pycrate's codecs read and write them. The radio, the clock and the
network interface are the caller's.
"""

import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address
from typing import Any

from heiiki_lab.mobile.keys import derive_nas_keys
from heiiki_lab.mobile.nas_security import (
    EEA0,
    EEA2,
    EIA2,
    INTEGRITY_CIPHERED,
    INTEGRITY_CIPHERED_NEW_CONTEXT,
    INTEGRITY_NEW_CONTEXT,
    NasSecurity,
    NasSecurityError,
    inner_message,
    security_header,
)
from heiiki_lab.mobile.sim_card import CAUSE_SYNCH_FAILURE, ChallengeRefusedError, Usim

with warnings.catch_warnings():
    # pycrate says that an optional module of cryptography is missing; ours stands in nas_security.
    warnings.simplefilter("ignore")
    from pycrate_core.utils import PycrateErr  # type: ignore[import-untyped]
    from pycrate_mobile import TS24301_EMM as EMM  # type: ignore[import-untyped]
    from pycrate_mobile import TS24301_ESM as ESM

_LOG = logging.getLogger(__name__)

# UE network capability (9.9.3.34): EEA0 and 128-EEA2; 128-EIA2 alone.
_CAPABILITY = bytes.fromhex("a020")
_CIPHERINGS = (EEA0, EEA2)

_ESM = 2
_NO_KEY = 7
_EPS_ATTACH = 1
_INITIAL_REQUEST = 1
_IPV4 = 1
_PTI = 1
_DETACH = 1
_SWITCH_OFF = 8
_IMSI_IDENTITY = 1
_SECURITY_MODE_REJECTED = 23
_PAA_LENGTH = 5


class State(StrEnum):
    """Where the UE stands; `REFUSED` and `DETACHED` end an attempt."""

    IDLE = "idle"
    ATTACHING = "attaching"
    ATTACHED = "attached"
    REFUSED = "refused"
    DETACHING = "detaching"
    DETACHED = "detached"


@dataclass(frozen=True, slots=True)
class Refusal:
    """How the network, or the SIM, said no.

    Attributes:
        procedure: name of the message that said so.
        protocol: ``EMM`` or ``ESM``.
        cause: cause value of that protocol (TS 24.301 annex A and B); 0 when the message carries none.
    """

    procedure: str
    protocol: str
    cause: int


def encode_imsi(imsi: str) -> bytes:
    """Return an IMSI as EPS mobile identity (9.9.3.12)."""
    odd = len(imsi) % 2
    digits = imsi if odd else imsi + "f"
    first = int(digits[0], 16) << 4 | odd << 3 | _IMSI_IDENTITY
    pairs = zip(digits[1::2], digits[2::2], strict=True)
    return bytes([first]) + bytes(int(high + low, 16) for low, high in pairs)


def encode_apn(apn: str) -> bytes:
    """Return an APN as length-prefixed labels (TS 23.003 9.1)."""
    return b"".join(bytes([len(label)]) + label.encode("ascii") for label in apn.split("."))


def _pdn_connectivity_request() -> bytes:
    message = ESM.ESMPDNConnectivityRequest(
        val={
            "ESMHeader": {"PTI": _PTI},
            "PDNType": _IPV4,
            "RequestType": _INITIAL_REQUEST,
            # The APN follows when the context is secured (ESM information transfer flag, 6.2.1.3).
            "ESMInfoTransferFlag": 1,
        }
    )
    return bytes(message.to_bytes())


def _parse(classes: dict[int, Any], kind: int, message: bytes) -> Any:
    parsed = classes[kind]()
    parsed.from_bytes(message)
    return parsed


def _octets(message: Any, element: str) -> bytes:
    return bytes(message[element][-1].to_bytes())


def _number(message: Any, element: str) -> int:
    return int(message[element][-1].to_uint())


class NasUe:
    """One attempt of a UE to be served: start with `attach`, feed what comes with `receive`.

    Args:
        usim: the card.
        apn: access point name asked for.
        plmn: serving network, 3 octets.
        send: called with every NAS message that goes up.
    """

    def __init__(self, usim: Usim, apn: str, plmn: bytes, send: Callable[[bytes], None]) -> None:
        self._usim = usim
        self._apn = apn
        self._plmn = plmn
        self._send = send
        self._security: NasSecurity | None = None
        self._pending: NasSecurity | None = None
        self._kasme: bytes | None = None
        self._key_set = _NO_KEY
        self.state = State.IDLE
        self.address: IPv4Address | None = None
        self.refusal: Refusal | None = None

    def attach(self) -> None:
        """Send the Attach Request with the IMSI (5.5.1.2)."""
        self.state = State.ATTACHING
        message = EMM.EMMAttachRequest(
            val={
                "NAS_KSI": _NO_KEY,
                "EPSAttachType": _EPS_ATTACH,
                "EPSID": encode_imsi(self._usim.imsi),
                "UENetCap": _CAPABILITY,
                "ESMContainer": _pdn_connectivity_request(),
            }
        )
        self._send(message.to_bytes())

    def detach(self, *, switch_off: bool = False) -> None:
        """Send a Detach Request (5.5.2.2); after a switch-off the network answers nothing."""
        message = EMM.EMMDetachRequestMO(
            val={
                "NAS_KSI": self._key_set,
                "EPSDetachType": _DETACH | (_SWITCH_OFF if switch_off else 0),
                "EPSID": encode_imsi(self._usim.imsi),
            }
        )
        if self.state is not State.REFUSED:
            self.state = State.DETACHED if switch_off else State.DETACHING
        self._send_secured(message.to_bytes())

    def _send_secured(self, message: bytes) -> None:
        if self._security is None:
            self._send(message)
        else:
            self._send(self._security.protect(message, INTEGRITY_CIPHERED))

    def receive(self, message: bytes) -> None:
        """Take one downlink NAS message; what cannot be believed or understood is dropped (4.4.4.2)."""
        try:
            plain, secured = self._open(message)
            self._dispatch(plain, secured)
        except (NasSecurityError, PycrateErr, KeyError, IndexError, ValueError) as error:
            _LOG.warning("dropped a NAS message: %s", error)

    def _open(self, message: bytes) -> tuple[bytes, bool]:
        header = security_header(message)
        if header == 0:
            return message, False
        if header == INTEGRITY_NEW_CONTEXT:
            return self._open_security_mode(message), True
        if self._security is None:
            raise NasSecurityError("protected, but there is no security context yet")
        return self._security.verify(message), True

    def _open_security_mode(self, message: bytes) -> bytes:
        command = _parse(EMM.EMMTypeMTClasses, inner_message(message)[1], inner_message(message))
        algorithms = _number(command, "NASSecAlgo")
        ciphering, integrity = algorithms >> 4 & 7, algorithms & 7
        if self._kasme is None or integrity != EIA2 or ciphering not in _CIPHERINGS:
            raise NasSecurityError(f"security mode with EEA{ciphering} and EIA{integrity} is not acceptable")
        self._pending = NasSecurity(*derive_nas_keys(self._kasme, ciphering, integrity), ciphering)
        return self._pending.verify(message)

    def _dispatch(self, message: bytes, secured: bool) -> None:
        if message[0] & 0x0F == _ESM:
            self._on_esm(message)
            return
        parsed = _parse(EMM.EMMTypeMTClasses, message[1], message)
        handlers: dict[str, Callable[[Any], None]] = {
            "EMMAuthenticationRequest": self._on_authentication_request,
            "EMMAuthenticationReject": self._on_authentication_reject,
            "EMMIdentityRequest": self._on_identity_request,
            "EMMAttachReject": self._on_attach_reject,
            "EMMDetachAccept": self._on_detach_accept,
        }
        protected: dict[str, Callable[[Any], None]] = {
            "EMMSecurityModeCommand": self._on_security_mode_command,
            "EMMAttachAccept": self._on_attach_accept,
            "EMMDetachRequestMT": self._on_detach_request,
        }
        name = type(parsed).__name__
        handler = handlers.get(name) or (protected.get(name) if secured else None)
        if handler is None:
            _LOG.info("not handled: %s", name)
        else:
            handler(parsed)

    def _on_authentication_request(self, request: Any) -> None:
        rand, autn = _octets(request, "RAND"), _octets(request, "AUTN")
        self._key_set = _number(request, "NAS_KSI")
        try:
            answer = self._usim.answer(rand, autn, self._plmn)
        except ChallengeRefusedError as refused:
            self._send_authentication_failure(refused)
            return
        self._kasme = answer.kasme
        self._send(EMM.EMMAuthenticationResponse(val={"RES": answer.res}).to_bytes())

    def _send_authentication_failure(self, refused: ChallengeRefusedError) -> None:
        values: dict[str, Any] = {"EMMCause": bytes([refused.cause])}
        if refused.cause == CAUSE_SYNCH_FAILURE:
            values["AUTS"] = refused.auts
        else:
            self.refusal = Refusal("Authentication Failure", "EMM", refused.cause)
        self._send(EMM.EMMAuthenticationFailure(val=values).to_bytes())

    def _on_authentication_reject(self, _: Any) -> None:
        # The SIM's own cause says more than the reject, which carries none (8.2.6).
        self.refusal = self.refusal or Refusal("Authentication Reject", "EMM", 0)
        self.state = State.REFUSED

    def _on_identity_request(self, _: Any) -> None:
        response = EMM.EMMIdentityResponse(val={"ID": encode_imsi(self._usim.imsi)})
        self._send_secured(response.to_bytes())

    def _on_security_mode_command(self, command: Any) -> None:
        replayed = _octets(command, "UESecCap")
        if replayed[: len(_CAPABILITY)] != _CAPABILITY:
            # 5.4.3.5: somebody between us and the MME took algorithms away.
            self._send(
                EMM.EMMSecurityModeReject(val={"EMMCause": bytes([_SECURITY_MODE_REJECTED])}).to_bytes()
            )
            return
        self._security, self._pending = self._pending, None
        if self._security is not None:
            complete = EMM.EMMSecurityModeComplete().to_bytes()
            self._send(self._security.protect(complete, INTEGRITY_CIPHERED_NEW_CONTEXT))

    def _on_attach_accept(self, accept: Any) -> None:
        container = _octets(accept, "ESMContainer")
        bearer = _parse(ESM.ESMTypeClasses, container[2], container)
        address = _octets(bearer, "PDNAddr")
        if len(address) != _PAA_LENGTH:
            raise ValueError(f"an IPv4 PDN address has {_PAA_LENGTH} bytes, this {len(address)}")
        self.address = IPv4Address(address[1:])
        identity = bearer["ESMHeader"]["EPSBearerId"].get_val()
        self._send_attach_complete(identity)
        self.state = State.ATTACHED

    def _send_attach_complete(self, bearer_identity: int) -> None:
        accept = ESM.ESMActDefaultEPSBearerCtxtAccept(val={"ESMHeader": {"EPSBearerId": bearer_identity}})
        self._send_secured(EMM.EMMAttachComplete(val={"ESMContainer": accept.to_bytes()}).to_bytes())

    def _on_attach_reject(self, reject: Any) -> None:
        self.refusal = Refusal("Attach Reject", "EMM", _number(reject, "EMMCause"))
        self.state = State.REFUSED

    def _on_detach_accept(self, _: Any) -> None:
        if self.state is State.DETACHING:
            self.state = State.DETACHED

    def _on_detach_request(self, _: Any) -> None:
        self._send_secured(EMM.EMMDetachAccept().to_bytes())
        self.state = State.DETACHED

    def _on_esm(self, message: bytes) -> None:
        parsed = _parse(ESM.ESMTypeClasses, message[2], message)
        name = type(parsed).__name__
        if name == "ESMInformationRequest":
            self._send_esm_information(parsed["ESMHeader"]["PTI"].get_val())
        elif name == "ESMPDNConnectivityReject":
            self.refusal = Refusal("PDN Connectivity Reject", "ESM", _number(parsed, "ESMCause"))
            self.state = State.REFUSED
            # The MME keeps half a context of this attempt and would ignore the next one: end it in order.
            self.detach()

    def _send_esm_information(self, transaction: int) -> None:
        response = ESM.ESMInformationResponse(
            val={"ESMHeader": {"PTI": transaction}, "APN": encode_apn(self._apn)}
        )
        self._send_secured(response.to_bytes())
