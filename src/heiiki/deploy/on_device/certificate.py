"""One step of a device's enrolment, by the code of `heiiki.network.certificate`."""

from typing import Any

from heiiki_on_device.certificate_assessment import assess, install
from heiiki_on_device.device_certificate import WHERE, DeviceError, Program


def main(parameters: dict[str, Any]) -> dict[str, Any]:
    """Assess the certificate, or install one; ``error`` is the empty string where that went well.

    Args:
        parameters: as those of the module; ``step`` is ``assess`` or ``install``, ``check`` changes nothing.
    """
    program = Program(WHERE["program"]["default"], WHERE["config"]["default"])
    try:
        if parameters["step"] == "install":
            return {**install(program, parameters), "error": ""}
        return {**assess(program, parameters, check=parameters["check"]), "error": ""}
    except (DeviceError, OSError, ValueError) as error:
        return {"changed": False, "error": str(error)}
