"""What a gateway's modem says of itself, as ModemManager's `mmcli -J` says it of a real one.

Only what is known here is said; ``--`` is mmcli's word for a value that it does not know.
"""

import json
import os
from pathlib import Path
from typing import Any

FOLDER = Path("/run/heiiki-sim")
PROGRAM = f"""#!/bin/sh
# Answers for the lab's modem as ModemManager's mmcli does: `mmcli -m any -J`, `mmcli -b BEARER -J`.
case "$*" in
    "-m any -J") answer=modem ;;
    "-b "*" -J") answer=bearer ;;
    *) echo "error: the lab's mmcli knows -m any -J and -b BEARER -J" >&2; exit 1 ;;
esac
if ! read -r pid 2>/dev/null <{FOLDER}/pid || ! kill -0 "$pid" 2>/dev/null; then
    echo "error: couldn't find modem" >&2
    exit 1
fi
exec cat {FOLDER}/$answer.json
"""

_UNKNOWN = "--"
_NO_DIGIT = 0xF
_PATH = "/org/freedesktop/ModemManager1"
_BEARER = f"{_PATH}/Bearer/0"
# ModemManager's state of the modem (MMModemState) and of its registration (MMModem3gppRegistrationState).
_STATES = {
    "off": ("failed", _UNKNOWN),
    "searching": ("searching", "searching"),
    "attaching": ("searching", "searching"),
    "attached": ("connected", "home"),
}


def operator_code(plmn: bytes) -> str:
    """Return mobile country and network code of a PLMN identity (TS 24.008 10.5.1.3)."""
    country, mixed, network = plmn
    third = mixed >> 4
    digits = (country & 0xF, country >> 4, mixed & 0xF, network & 0xF, network >> 4)
    return "".join(str(digit) for digit in (*digits, third) if digit != _NO_DIGIT)


def modem(state: str, plmn: bytes, *, sim: bool) -> dict[str, Any]:
    """Return the answer to `mmcli -m any -J`.

    Args:
        state: of the UE: off, searching, attaching or attached.
        plmn: PLMN identity of the network.
        sim: whether there is a SIM card.
    """
    mode, registration = _STATES[state]
    known = state == "attached"
    return {
        "modem": {
            "3gpp": {
                "operator-code": operator_code(plmn) if known else _UNKNOWN,
                "registration-state": registration,
            },
            "dbus-path": f"{_PATH}/Modem/0",
            "generic": {
                "access-technologies": ["lte"] if known else [],
                "bearers": [_BEARER] if known else [],
                "sim": f"{_PATH}/SIM/0" if sim else _UNKNOWN,
                "state": mode,
                "state-failed-reason": _UNKNOWN if sim or mode != "failed" else "sim-missing",
            },
        }
    }


def bearer(state: str, interface: str, apn: str | None, address: str | None) -> dict[str, Any]:
    """Return the answer to `mmcli -b BEARER -J`."""
    return {
        "bearer": {
            "dbus-path": _BEARER,
            "ipv4-config": {"address": address or _UNKNOWN, "method": "static", "prefix": "32"},
            "properties": {"apn": apn or _UNKNOWN, "ip-type": "ipv4"},
            "status": {"connected": "yes" if state == "attached" else "no", "interface": interface},
        }
    }


def show(answers: dict[str, dict[str, Any]], folder: Path = FOLDER) -> None:
    """Put the answers where `PROGRAM` finds them, each in one step."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pid").write_text(f"{os.getpid()}\n", encoding="ascii")
    for name, answer in answers.items():
        fresh = folder / f".{name}"
        fresh.write_text(json.dumps(answer) + "\n", encoding="ascii")
        fresh.replace(folder / f"{name}.json")
