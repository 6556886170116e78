"""netmiko, as the oracle: what it reads and changes on the same simulated devices, our drivers do too.

Where its answer is another one, the difference is the reason why a driver of ours is there.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fleet_devices import Device, Make, run
from netmiko import ConnectHandler
from simulated_devices import ADMIN, CHANGES, PASSWORD, USER, paths

TYPES = {
    "cisco_iosxe": "cisco_xe",
    "juniper_junos": "juniper_junos",
    "nec_ix": "nec_ix",
    "yamaha_rtx": "yamaha",
}
READS = {
    "cisco_iosxe": "show running-config",
    "juniper_junos": "show configuration | display set",
    "nec_ix": "show running-config",
    "yamaha_rtx": "show config",
}


@contextmanager
def netmiko(device: Device, **more: Any) -> Iterator[Any]:
    made = ConnectHandler(
        device_type=TYPES[device.platform],
        host=device.target.host,
        port=device.target.port,
        username=USER,
        password=PASSWORD,
        secret=ADMIN,
        fast_cli=True,
        **more,
    )
    try:
        if device.platform in {"yamaha_rtx", "nec_ix"}:
            made.enable()
        yield made
    finally:
        made.remote_conn_pre.close()  # its own disconnect says `exit`
        device.order("hang_up")


def ours(device: Device) -> str:
    async def work() -> str:
        async with device.session() as session:
            return await session.running()

    return run(work())


def lines(text: str) -> list[str]:
    return [
        one
        for one in text.splitlines()
        if one.strip() and one.strip()[0] not in "!#" and one.strip() != "end"
    ]


def test_both_read_the_same(device: Device) -> None:
    with netmiko(device) as peer:
        read = peer.send_command(READS[device.platform])
    text = "\n".join(
        one for one in read.splitlines() if not one.startswith(("Building", "Current", "[edit]"))
    )
    assert lines(text) == lines(ours(device))


def test_both_lead_to_the_same_configuration(make: Make, device: Device) -> None:
    other = make(device.platform)
    with netmiko(other) as peer:
        peer.send_config_set(CHANGES[other.platform], exit_config_mode=False, cmd_verify=False)
        if other.platform == "juniper_junos":
            peer.commit()

    async def work() -> None:
        async with device.session() as session:
            await device.applied(session)

    run(work())
    names = device.target.name, other.target.name
    assert paths(device.running().replace(*names)).keys() == paths(other.running()).keys()


def test_netmiko_notices_no_refused_line_and_ours_does(make: Make) -> None:
    device = make("cisco_iosxe")
    device.fail(refuse_line=2)
    with netmiko(device) as peer:
        peer.send_config_set(CHANGES["cisco_iosxe"])  # no error: error_pattern is empty by default
    assert device.state()["typed"] == len(CHANGES["cisco_iosxe"])


def test_netmiko_accepts_another_host_key(make: Make) -> None:
    device = make("cisco_iosxe")
    for _ in range(2):
        with netmiko(device) as peer:
            assert peer.find_prompt() == f"{device.target.name}#"
        device.order("new_key")


def test_netmiko_throws_another_operator_out_of_a_nec(make: Make) -> None:
    device = make("nec_ix")
    device.fail(occupied=True)
    with netmiko(device):
        pass
    assert device.state()["log"] == ["operator thrown out"]
