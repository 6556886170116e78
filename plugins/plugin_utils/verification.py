# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A measurement from intent to report: the parts of the package called in order."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleError
from ansible.module_utils.parsing.convert_bool import BOOLEANS, boolean
from ansible_collections.heiiki.network.plugins.plugin_utils._heiiki import (
    design_verdicts,
    kept,
    load_plan,
    package,
    translated,
    vault_access,
)
from ansible_collections.heiiki.network.plugins.plugin_utils.connections import Variables, transport_for

if TYPE_CHECKING:
    from heiiki.plan.model import Plan
    from heiiki.report import Paths
    from heiiki.requirements.verdict import Verdict

BAD = frozenset({"fail", "unknown"})

Faults = bool | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a measurement came to.

    Attributes:
        paths: the files that were written, with the settled verdicts.
        bad: verdicts that speak against the service, or leave it open, among what was asked for.
        matrix: the table of requirements and stages, as text.
    """

    paths: "Paths"
    bad: "tuple[Verdict, ...]"
    matrix: str


def chosen_faults(value: Any) -> Faults:
    """Return which faults a user asks for: all, none, or those named (a list, or names with commas between).

    Raises:
        AnsibleError: neither a truth value nor names.
    """
    if isinstance(value, str) and value.lower() not in BOOLEANS:
        value = [name.strip() for name in value.split(",") if name.strip()]
    if isinstance(value, list) and value and all(isinstance(name, str) for name in value):
        return tuple(value)
    try:
        return bool(boolean(value))
    except TypeError as error:
        raise AnsibleError(f"faults: {value!r} is neither true, false, nor names of faults") from error


def measure(
    service: Path, artifacts: Path, faults: Faults, report: Callable[[str], None], variables: Variables
) -> Outcome:
    """Examine the service on paper and as it runs, and write the report.

    Args:
        service: folder of the service.
        artifacts: folder for the report, its verdicts and their evidence.
        faults: all, none, or names.
        report: is told of each step.
        variables: those of the task: how the plays reach each device.

    Raises:
        AnsibleError: the intent has mistakes, or nothing can be measured at all.
    """
    plan = load_plan(service)
    evidence = package("heiiki.report")
    with translated(), _outside(plan, service, variables, faults=bool(faults)) as (transport, more):
        builds = tuple(package("heiiki.render").compile_plan(plan))
        keep = evidence.EvidenceStore(artifacts).keep
        seen = package("heiiki.verify").verify(
            plan, builds, transport, keep, faults=faults, report=report, **more
        )
        header = evidence.Header.of(plan, machine=_machine(), lab=plan.management.kind == "lab")
        thefts = package("heiiki.revocation").verdicts(plan, artifacts, keep)
        verdicts = (*design_verdicts(plan, builds), *seen.verdicts, *thefts)
        # A run that fails nothing, or a part, leaves the fault rows standing that an earlier one measured.
        earlier = ((), ()) if faults is True else evidence.earlier(artifacts, header)
        paths = evidence.write_report(
            artifacts, plan, header, *evidence.with_earlier_faults(*earlier, verdicts, seen.fault_rows)
        )
        return Outcome(paths, bad_ones(paths.settled, faults), evidence.text(evidence.matrix(paths.settled)))


def bad_ones(verdicts: "Sequence[Verdict]", faults: Faults) -> "tuple[Verdict, ...]":
    """Return the verdicts that decide against a run.

    Where some faults are named, the others do not decide: the report shows them as not run all the same.
    """
    found = tuple(verdict for verdict in verdicts if verdict.result in BAD)
    if not isinstance(faults, tuple):
        return found
    is_not_run = package("heiiki.report.completion").is_not_run
    return tuple(verdict for verdict in found if not is_not_run(verdict))


@contextmanager
def _outside(
    plan: "Plan", service: Path, variables: Variables, *, faults: bool
) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Give the way to the devices and, in the lab alone, who breaks them and signs what must be refused."""
    with transport_for(plan, variables) as transport:
        if plan.management.kind != "lab":
            yield transport, {}
        else:
            state = package("heiiki_lab.state").lab_dir()
            yield (
                transport,
                {
                    **_injection(plan, state, faults=faults),
                    "authority": _authority(plan, service),
                    "sim_trials": package("heiiki_lab.mobile"),
                },
            )


def _injection(plan: "Plan", state: Path, *, faults: bool) -> dict[str, Any]:
    if not faults:
        return {}
    lab = package("heiiki_lab.wiring").connect(state)
    from_plan = package("heiiki_lab.from_plan")
    return {
        "injector": package("heiiki_lab.injector").LabInjector(lab),
        "restart": lambda node: from_plan.restart(plan, lab, node),
    }


def _authority(plan: "Plan", service: Path) -> Any:
    """Return the lab's CA, or None where no server was set up: the verdicts say what that leaves open."""
    try:
        access = vault_access(plan, kept(plan, service, None), "making certificates that must be refused")
    except AnsibleError:
        return None
    return package("heiiki.verify.ipsec.test_certificates").VaultAuthority(plan, access)


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GiB"
