# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action plugin of heiiki.network.certificate: the part that happens on the controller."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.heiiki.network.plugins.module_utils.device_certificate import WHERE
from ansible_collections.heiiki.network.plugins.plugin_utils.enrolment import Enrolment

ARGUMENTS = {
    "device": {"type": "str"},
    "service_dir": {"type": "path", "required": True},
    "secret_state": {"type": "path"},
    "force": {"type": "bool", "default": False},
    "compromised": {"type": "bool", "default": False},
    "reinstate": {"type": "bool", "default": False},
    "wait_s": {"type": "int", "default": 240},
    **WHERE,
}
PASSED = ("force", "program", "config")
REINSTATED = "it takes the place of one that was revoked"


class ActionModule(ActionBase):  # type: ignore[misc]  # the base is not typed
    """Ask the device what it needs; get it a token for that, and nothing else, from the Vault server."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Assess, check the request, mint, install; see the module's documentation."""
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        _, arguments = self.validate_argument_spec(ARGUMENTS)
        device = arguments["device"] or variables["inventory_hostname"]
        state = arguments["secret_state"]
        enrolment = Enrolment(
            Path(arguments["service_dir"]), Path(state) if state else None, check=self._task.check_mode
        )
        compromised = arguments["compromised"]
        passed = {"device": device, **{key: arguments[key] for key in PASSED}}
        passed["force"] = passed["force"] or compromised
        wanted = {**passed, "wait_s": arguments["wait_s"], **enrolment.wanted(device)}
        assess = {**wanted, "step": "assess", "request": not enrolment.problem}
        refusal = partial(_refused, enrolment, device, reinstate=arguments["reinstate"])
        replaced = refusal(None)
        assessed = self._module({**assess, "force": replaced or assess["force"]}, variables)
        if not replaced and refusal(assessed.get("certificate")):
            replaced, assessed = True, self._module({**assess, "force": True}, variables)
        if replaced and not assessed.get("failed"):
            assessed["reasons"] = [REINSTATED]
        if assessed.get("failed"):
            return {**result, **warned(assessed, enrolment)}

        def install(order: dict[str, Any], token: str) -> dict[str, Any]:
            order = {**order, "compromised": compromised}
            answer = self._module({**passed, "step": "install", "order": order, "token": token}, variables)
            if compromised and not answer.get("failed"):
                answer["revoked"] = enrolment.revoke_replaced(device, answer["certificate"]["serial"])
            return answer

        check = self._task.check_mode
        return {**result, **concluded(device, assessed, enrolment, install, check=check)}

    def _module(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self._execute_module(
            module_name="heiiki.network.certificate", module_args=arguments, task_vars=variables
        )
        answer.pop("invocation", None)
        return answer


def _refused(
    enrolment: Enrolment, device: str, certificate: dict[str, Any] | None, *, reinstate: bool
) -> bool:
    """Tell whether the server has revoked a device, which is an error where it is not reinstated."""
    why = enrolment.refusal(device, certificate)
    if why and not reinstate:
        raise AnsibleError(why)
    return bool(why)


def concluded(
    device: str,
    assessed: dict[str, Any],
    enrolment: Enrolment,
    install: Callable[[dict[str, Any], str], dict[str, Any]],
    *,
    check: bool,
) -> dict[str, Any]:
    """Return what comes of an assessment: left alone, postponed, or a new certificate.

    Args:
        device: whose certificate.
        assessed: the device's answer, with its request where it needs a certificate and may have one.
        enrolment: says what the server answers, and has it make the token.
        install: calls the device with order and token.
        check: nothing is to be changed.

    Raises:
        AnsibleError: it needs a certificate, and the server cannot issue one or refuses.
    """
    if not assessed["reasons"]:
        return warned(assessed, enrolment)
    if enrolment.problem and assessed["margin"]:
        return _postponed(device, assessed, enrolment.problem)
    if enrolment.problem:
        why = "; ".join(assessed["reasons"])
        raise AnsibleError(f"{device} needs a certificate: {why}. {enrolment.problem}")
    if check:
        return warned(assessed, enrolment)
    made = assessed["made"]
    token, order = enrolment.order(device, made["csr"])
    installed = install({**order, "generation": made["generation"]}, token)
    return {"reasons": assessed["reasons"], **warned(installed, enrolment)}


def warned(answer: dict[str, Any], enrolment: Enrolment) -> dict[str, Any]:
    """Return an answer about a certificate that may stay, with what is to be said beside it."""
    told = list(enrolment.warnings)
    if enrolment.problem:
        why = enrolment.problem
        told.append(f"the certificate is good, but whether the CA was replaced could not be asked: {why}")
    return {**answer, "warnings": [*answer.get("warnings", []), *told]} if told else answer


def _postponed(device: str, answer: dict[str, Any], problem: str) -> dict[str, Any]:
    """Leave a device alone whose certificate lasts until the server is back."""
    left = answer["certificate"]["days_left"]
    told = f"{device}: {left:.1f} days are left, and its certificate cannot be renewed now: {problem}"
    kept = {key: value for key, value in answer.items() if key != "diff"}
    return {**kept, "changed": False, "warnings": [*answer.get("warnings", []), told]}
