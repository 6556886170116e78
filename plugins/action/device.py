# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action plugin of heiiki.network.device: one call of the node, and a second where it needs a certificate."""

from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.heiiki.network.plugins.action.certificate import concluded
from ansible_collections.heiiki.network.plugins.modules.device import ARGUMENTS
from ansible_collections.heiiki.network.plugins.plugin_utils._heiiki import (
    package,
    secrets_for,
    translated,
)
from ansible_collections.heiiki.network.plugins.plugin_utils.build import folder_for, payload
from ansible_collections.heiiki.network.plugins.plugin_utils.enrolment import Enrolment

Answer = dict[str, Any]
PASSED = ("steps", "wait_s", "programs", "features", "accounts", "links", "program", "config")
HANDED_ON = ("service_dir", "secret_state", "program", "config", "reinstate")
REACH_S = 240
"""Within which a device must find a way to the Vault server; a new network takes its time."""
NOT_APPLIED = "the certificate is not examined: the build is not applied yet"


class ActionModule(ActionBase):  # type: ignore[misc]  # the base is not typed
    """Provision one device, with what only the controller can do between the calls of the node."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> Answer:
        """Apply, enrol and await as far as that is due; see the module's documentation."""
        self._variables = task_vars or {}
        result: Answer = super().run(tmp, self._variables)
        _, self._given = self.validate_argument_spec(ARGUMENTS)
        self._device: str = self._given["device"] or self._variables["inventory_hostname"]
        self._check: bool = self._task.check_mode
        answers = []
        for answer in self._steps():
            answers.append(answer)
            if answer.get("failed"):
                break
        return {**result, **_merged(answers)}

    def _steps(self) -> Iterator[Answer]:
        """Yield the answer of each call of the device, and of each step that the controller takes."""
        enrolment = self._enrolment()
        wanted = self._wanted(enrolment)
        answer = self._call("heiiki.network.device", wanted)
        if answer.pop("unprepared", False):
            yield answer
            changed = False
            for prepared in self._prepare():
                changed = changed or bool(prepared.get("changed"))
                yield prepared
            if self._check and changed:
                return  # files that belong to an account which is not there yet cannot be compared
            answer = self._call("heiiki.network.device", wanted)
            if answer.pop("unprepared", False):
                why = "; ".join(answer["due"]["apply"])
                answer |= {"failed": True, "msg": f"{self._device}: it was prepared, but still {why}"}
        assessed, awaited = answer.pop("assessed", None), answer.pop("awaited", False)
        yield answer
        due = answer.get("due", {})
        if enrolment and assessed is not None:
            certified = self._certified(assessed, due, enrolment)
            awaited = certified.pop("awaited", awaited)
            due = certified.get("due", due)
            yield certified
        if due and "ready" in self._given["steps"] and not (awaited or self._check):
            yield self._await()

    # -- what the node is told

    def _enrolment(self) -> Enrolment | None:
        if not self._given["certificate"] or "certificate" not in self._given["steps"]:
            return None
        if not self._given["service_dir"]:
            raise AnsibleError(
                f"{self._device}: service_dir is missing: it says what the certificate must be"
            )
        state = self._given["secret_state"]
        return Enrolment(Path(self._given["service_dir"]), Path(state) if state else None, check=self._check)

    def _wanted(self, enrolment: Enrolment | None) -> Answer:
        """Return the arguments of the module: all that it needs to take every step that it can."""
        asked: Answer = {}
        if enrolment:
            may_have = not (enrolment.problem or enrolment.refusal(self._device, None))
            asked = {"request": may_have, "wait_s": REACH_S}
        return {
            **{key: self._given[key] for key in PASSED},
            "sent": self._build() if "apply" in self._given["steps"] else "",
            "device": self._device,
            "sessions": self._awaited(),
            "certificate_wanted": {**enrolment.wanted(self._device), **asked} if enrolment else {},
        }

    def _build(self) -> str:
        if not self._given["build"]:
            raise AnsibleError(
                f"{self._device}: build is missing: the folder that heiiki.network.compile wrote"
            )
        service, state = (
            Path(self._given[key]) if self._given[key] else None for key in ("service_dir", "secret_state")
        )
        build = folder_for(Path(self._given["build"]), check_mode=self._check)
        with translated(), secrets_for(service, state) as read:
            return payload(build, self._device, self._foreseeing(read), service).packed()

    def _foreseeing(self, read: Callable[[str, str], str]) -> Callable[[str, str], str | None]:
        """Return a reader that in check mode gives none where there is no server yet, and warns."""

        def read_secret(path: str, field: str) -> str | None:
            try:
                return read(path, field)
            except package("heiiki.errors").HeiikiError as error:
                if not self._check:
                    raise
                self._display.warning(f"{self._device}: {error}")
                return None

        return read_secret

    def _awaited(self) -> list[dict[str, str]]:
        """Return the sessions with devices that come earlier in the play: those are further already."""
        hosts: list[str] = self._variables.get("ansible_play_hosts_all", [])
        name = self._variables["inventory_hostname"]
        earlier = hosts[: hosts.index(name)] if name in hosts else []
        return [session for session in self._given["sessions"] if session["peer"] in earlier]

    # -- the steps

    def _prepare(self) -> Iterator[Answer]:
        """Make the accounts and the links that the build relies on."""
        for name in self._given["accounts"]:
            account = {
                "system": True,
                "create_home": False,
                "home": "/nonexistent",
                "shell": "/usr/sbin/nologin",
            }
            yield self._call("ansible.builtin.user", {"name": name, **account})
        for path, target in self._given["links"].items():
            folder = {"path": str(PurePosixPath(path).parent), "state": "directory", "mode": "0755"}
            yield self._call("ansible.builtin.file", folder)
            yield self._call("ansible.builtin.file", {"path": path, "src": target, "state": "link"})

    def _certified(self, assessed: Answer, due: Answer, enrolment: Enrolment) -> Answer:
        """Return what comes of the device's assessment of its certificate."""
        if self._check and assessed.get("unexamined"):
            return {"changed": False, "warnings": [f"{self._device}: {NOT_APPLIED}"]}
        if refusal := enrolment.refusal(self._device, assessed.get("certificate")):
            passed = {key: self._given[key] for key in HANDED_ON}
            answer = self._action("heiiki.network.certificate", {"device": self._device, **passed})
            return {**answer, "due": {**due, "certificate": [refusal]}}
        return concluded(self._device, assessed, enrolment, self._install, check=self._check)

    def _install(self, order: Answer, token: str) -> Answer:
        """Have the device install the certificate, and await readiness in the same call."""
        passed = {key: self._given[key] for key in ("steps", "wait_s", "program", "config")}
        wanted = {"device": self._device, "sessions": self._awaited(), "order": order, "token": token}
        return self._call("heiiki.network.device", {**passed, **wanted})

    def _await(self) -> Answer:
        sessions = {"sessions": self._awaited(), "wait_s": self._given["wait_s"]}
        answer = self._call("heiiki.network.linux_ready", sessions)
        return {key: value for key, value in answer.items() if key != "services"}

    def _call(self, module: str, arguments: Answer) -> Answer:
        answer: Answer = self._execute_module(
            module_name=module, module_args=arguments, task_vars=self._variables
        )
        # What was sent is the build, which stands on the controller: it would only drown the answer.
        answer.pop("invocation", None)
        return answer

    def _action(self, name: str, arguments: Answer) -> Answer:
        """Run another action of the collection for this device, as a task of its own would."""
        task = self._task.copy()
        task.args = {key: value for key, value in arguments.items() if value is not None}
        action = self._shared_loader_obj.action_loader.get(
            name,
            task=task,
            connection=self._connection,
            play_context=self._play_context,
            loader=self._loader,
            templar=self._templar,
            shared_loader_obj=self._shared_loader_obj,
        )
        answer: Answer = action.run(task_vars=self._variables)
        return answer


def _merged(answers: list[Answer]) -> Answer:
    """Return the answers of all steps as that of one task."""
    merged: Answer = {}
    for answer in answers:
        merged.update(answer)
    merged["changed"] = any(answer.get("changed") for answer in answers)
    merged["diff"] = [entry for answer in answers for entry in _entries(answer.get("diff"))]
    warnings = [text for answer in answers for text in answer.get("warnings", ())]
    return {**merged, **({"warnings": warnings} if warnings else {})}


def _entries(diff: Any) -> list[Any]:
    if not diff:
        return []
    return list(diff) if isinstance(diff, list) else [diff]
