"""The lab as a way to a service's devices: the entry point `lab` of `heiiki.management`."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from heiiki.errors import LabError
from heiiki.management import Hosts
from heiiki.plan.model import Device, Function, Plan, VaultHost
from heiiki.transport import Transport
from heiiki.verify.equipment import TestEquipment
from heiiki.verify.host.explained import Added
from heiiki_lab import from_plan, mobile, wiring
from heiiki_lab.client import NodeClient
from heiiki_lab.injector import LabInjector
from heiiki_lab.root.builder import packages
from heiiki_lab.state import is_running, lab_dir, not_up, socket_path
from heiiki_lab.transport import LabTransport

if TYPE_CHECKING:
    from heiiki.pki.server.pinned import Connector

_HSS = frozenset({"nextepc-hssd", "python3"})
"""Programs of the lab on the node of the HSS."""
_FILES = frozenset(
    {"/usr/lib/systemd/system/service.d/50-log.conf", "/etc/systemd/system/heiiki-pgw.service"}
)
"""A file for what each service says (root/customize.sh), and the unit of the packet gateway."""
_LOGS = "/var/log/heiiki"
"""Where those files are."""


class LabManagement:
    """The running lab of the state folder."""

    simulated = True

    @contextmanager
    def transport(self, plan: Plan, hosts: Hosts | None = None) -> Iterator[Transport]:  # noqa: ARG002 - the Protocol's
        """Reach every node through its socket; LabError where no lab is up."""
        if not is_running(lab_dir()):
            raise LabError(not_up(lab_dir()))
        with LabTransport(lab_dir()) as transport:
            yield transport

    def ansible_variables(self, plan: Plan) -> dict[str, object]:  # noqa: ARG002 - the Protocol's
        """Use the lab's own connection."""
        return {"ansible_connection": "heiiki.network.lab"}

    def ansible_host(self, plan: Plan, device: str) -> None:
        """Find a node by its name."""

    def vault_connector(self, plan: Plan, server: VaultHost) -> "Connector":
        """Reach the server's port from its own node."""

        def connect() -> Any:
            client = NodeClient(socket_path(lab_dir(), server.device))
            return client.connect(str(server.address), plan.pki.port)

        return connect

    def environment(self) -> Mapping[str, str]:
        """Return nothing: variables that are meant for a real server must not lead away from the lab's."""
        return {}

    def test_equipment(self, plan: Plan, *, faults: bool) -> TestEquipment:
        """Allow everything; the lab is asked for only when `faults` are wanted."""
        if not faults:
            return TestEquipment(sim_trials=mobile, refused_certificates=True, logs=_LOGS)
        lab = wiring.connect(lab_dir())
        return TestEquipment(
            injector=LabInjector(lab),
            restart=lambda node: from_plan.restart(plan, lab, node),
            sim_trials=mobile,
            refused_certificates=True,
            logs=_LOGS,
        )

    def adds(self, plan: Plan, device: Device) -> Added:
        """Add the carrier's HSS, which is NextEPC's with a subscriber database of the lab's own.

        All nodes share one root, so each has the packages of all. A line has its rate from the ends of the
        cable that stands for it.
        """
        programs = _HSS if device.function is Function.HSS else frozenset[str]()
        rates = {
            end.interface: rate
            for link in from_plan.links(plan)
            for end, rate in link.rates.items()
            if end.node == device.name
        }
        return Added(programs=programs, packages=frozenset(packages()), files=_FILES, rates=rates)
