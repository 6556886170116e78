"""The watch: intervals, signals, its report."""

import json
import signal
import subprocess
import time
from collections.abc import Callable

from agent_device import PROGRAM, Device

from heiiki_agent.pki import daemon


def _waits(done: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_watch_pulls_backs_off_and_pulls_at_once_when_told(device: Device) -> None:
    device.enrol()
    device.publish_crls(1)
    device.document["revocation"]["every_s"] = 3600
    device.configure()
    state, log = device.folder / "state.json", device.folder / "log"
    command = [*PROGRAM, "--config", str(device.file), "--state", str(state)]
    with log.open("wb") as stream:
        process = subprocess.Popen([*command, "watch"], stderr=stream)
    try:
        _waits(lambda: device.told_times() == 1)
        _waits(lambda: state.exists() and json.loads(state.read_text())["pulled"])
        device.publish_crls(2)
        process.send_signal(signal.SIGHUP)
        _waits(lambda: device.told_times() == 2)
        device.fake.wrong = "sealed"
        process.send_signal(signal.SIGHUP)
        _waits(lambda: "unseal it" in log.read_text())
        process.send_signal(signal.SIGHUP)
        _waits(lambda: json.loads(state.read_text())["failures"] == 2)
        device.fake.wrong = ""
        process.send_signal(signal.SIGHUP)
        _waits(lambda: "all is well again" in log.read_text())
        assert subprocess.run([*command, "check"], capture_output=True, check=False).returncode == 0
    finally:
        process.terminate()
        process.wait()
    lines = log.read_text().splitlines()
    assert "credentials: CRL of CN=Test Issuing: number 1 -> 2, 0 revoked" in lines
    (sealed,) = [line for line in lines if "unseal it" in line]
    assert "; the CRLs here are good until 20" in sealed
    assert sealed.endswith("then no new peer is accepted")
    gone = subprocess.run([*command, "check"], capture_output=True, text=True, check=False)
    assert (gone.returncode, gone.stdout) == (
        1,
        f"{state}: the process that wrote it is gone; start heiiki-revocation\n",
    )


def test_the_wait_grows_while_vault_is_away_and_no_two_devices_agree(device: Device) -> None:
    device.document["revocation"]["every_s"] = 10
    device.configure()
    watch = daemon.Daemon(device.file, device.folder / "state.json")
    assert all(9 <= watch.wait_s() <= 11 for _ in range(100))
    assert len({watch.wait_s() for _ in range(10)}) == 10
    for failures, seconds in ((1, 20), (2, 40), (3, 60), (30, 60)):
        watch._failures = failures
        assert 0.9 * seconds <= watch.wait_s() <= 1.1 * seconds
