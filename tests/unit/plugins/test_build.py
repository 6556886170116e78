"""What the controller reads of a build, and what never leaves it."""

import base64
import hashlib
import json
import shutil
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleError
from ansible_collections.heiiki.network.plugins.action import compile as compile_action
from ansible_collections.heiiki.network.plugins.action.linux_node import ActionModule
from ansible_collections.heiiki.network.plugins.module_utils.device_provision import unpacked
from ansible_collections.heiiki.network.plugins.modules import linux_node
from ansible_collections.heiiki.network.plugins.plugin_utils import _heiiki
from ansible_collections.heiiki.network.plugins.plugin_utils.build import folder_for, payload

import heiiki
from heiiki.cli.new_service import template

VALUE = "00112233445566778899aabbccddeeff"
TEXT = "k={{secret:sims/umeda:k}}\n"


def secret(path: str, field: str) -> str:
    return {("sims/umeda", "k"): VALUE}[path, field]


@pytest.fixture
def build(tmp_path: Path) -> Path:
    device = tmp_path / "b-hss"
    (device / "etc").mkdir(parents=True)
    (device / "etc/keys").write_text(TEXT)
    entry = {
        "path": "/etc/keys",
        "mode": "0600",
        "owner": "root",
        "sha256": hashlib.sha256(TEXT.encode()).hexdigest(),
        "validate": [],
        "service": "",
        "secret": True,
        "encoding": "utf-8",
        "requirements": ["R-ISO-MALICE"],
    }
    service: dict[str, Any] = {
        "name": "x",
        "on_change": "reload",
        "health": [],
        "health_s": 10.0,
        "running": [],
        "wanted": [],
    }
    service["restart_on"] = []
    manifest = {"device": "b-hss", "files": [entry], "services": [service]}
    (device / "manifest.json").write_text(json.dumps(manifest))
    return tmp_path


@pytest.mark.parametrize("place", [".", "b-hss", "b-hss/manifest.json"])
def test_a_build_that_others_may_change_is_not_used(build: Path, place: str) -> None:
    """Its commands are run as root on every device, and its digests lie beside it."""
    path = build / place
    before = path.stat().st_mode
    path.chmod(before | 0o002)
    with pytest.raises(AnsibleError, match=r"others may change what is run as root .* set heiiki_artifacts"):
        payload(build, "b-hss", secret)
    path.chmod(before)
    assert payload(build, "b-hss", secret).files


def test_secrets_travel_beside_the_files_not_in_them(build: Path) -> None:
    sent = payload(build, "b-hss", secret)
    assert sent.secrets == {"{{secret:sims/umeda:k}}": VALUE}
    assert sent.files[0]["content"] == TEXT
    assert VALUE not in repr((sent.files, sent.services))


def test_what_is_not_text_is_sent_by_its_bytes(build: Path) -> None:
    path = build / "b-hss/manifest.json"
    manifest = json.loads(path.read_text())
    data = b"PK\xff"
    text = base64.b64encode(data)
    (build / "b-hss/etc/keys").write_bytes(text)
    manifest["files"][0] |= {"encoding": "base64", "sha256": hashlib.sha256(text).hexdigest()}
    path.write_text(json.dumps(manifest))
    sent = payload(build, "b-hss", secret)
    assert base64.b64decode(sent.files[0]["content"]) == data


def test_a_device_unpacks_what_was_packed(build: Path) -> None:
    sent = payload(build, "b-hss", secret)
    assert VALUE not in sent.packed()
    assert unpacked(sent.packed()) == {
        "files": [{**sent.files[0], "validate": list(sent.files[0]["validate"])}],
        "services": list(sent.services),
        "secrets": {"{{secret:sims/umeda:k}}": VALUE},
    }


def test_a_device_without_a_build_is_told_what_to_do(build: Path) -> None:
    with pytest.raises(AnsibleError) as caught:
        payload(build, "b-mme", secret)
    # Ansible puts the text of the cause behind.
    assert str(caught.value).partition(": [Errno")[0] == (
        f"b-mme: there is no {build}/b-mme/manifest.json: "
        "run heiiki.network.compile first, for managed devices only"
    )


def test_a_device_of_a_vendor_is_sent_nothing_by_a_role(build: Path) -> None:
    manifest = build / "b-hss/manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "by_hand": "nec_ix"}))
    with pytest.raises(
        AnsibleError, match=r"b-hss is of platform nec_ix, which no role provisions: run push.yml"
    ):
        payload(build, "b-hss", secret)


def test_a_build_that_was_edited_is_refused(build: Path) -> None:
    (build / "b-hss/etc/keys").write_text("k=1\n")
    with pytest.raises(AnsibleError, match="was changed after it was compiled"):
        payload(build, "b-hss", secret)


def test_check_mode_has_a_folder_of_its_own() -> None:
    assert folder_for(Path("/a/build"), check_mode=True) == Path("/a/build.check")
    assert folder_for(Path("/a/build"), check_mode=False) == Path("/a/build")


def test_a_link_to_the_builds_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    assert folder_for(tmp_path / "link", check_mode=False) == tmp_path / "kept"
    assert folder_for(tmp_path / "link", check_mode=True) == tmp_path / "kept.check"


def test_a_text_that_several_devices_have_is_read_from_where_it_stands_once(build: Path) -> None:
    digest = hashlib.sha256(TEXT.encode()).hexdigest()
    (build / "shared").mkdir()
    (build / "b-hss/etc/keys").rename(build / "shared" / digest)
    assert payload(build, "b-hss", secret).files[0]["content"] == TEXT
    (build / "shared" / digest).write_text("k=1\n")
    with pytest.raises(AnsibleError, match="was changed after it was compiled"):
        payload(build, "b-hss", secret)


class _Compile(compile_action.ActionModule):
    """The action without Ansible around it."""

    def __init__(self, build: Path, service: Path, *, check: bool = False) -> None:
        self._arguments = {"build": str(build), "service_dir": str(service)}
        self._task = type("Task", (), {"check_mode": check})()

    def validate_argument_spec(self, *_: Any, **__: Any) -> tuple[None, dict[str, Any]]:
        return None, self._arguments


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("ansible.plugins.action.ActionBase.run", lambda *_: {})
    for name, text in template("probe").items():
        (tmp_path / "svc" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "svc" / name).write_text(text)
    return tmp_path / "svc"


def test_check_mode_says_what_would_change_and_leaves_the_build_alone(tmp_path: Path, service: Path) -> None:
    build = tmp_path / "build"
    assert _Compile(build, service, check=True).run()["changed"] is True
    assert not build.exists()
    assert _Compile(build, service).run()["changed"] is True
    assert _Compile(build, service, check=True).run()["changed"] is False
    assert _Compile(build, service).run()["changed"] is False


def test_a_device_is_sent_no_build_that_is_out_of_date(
    tmp_path: Path, service: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = tmp_path / "build"

    def sent() -> str:
        try:
            return str(payload(build, "b-pgw", secret, service).files[0]["path"])
        except AnsibleError as error:
            return str(error).removeprefix(f"b-pgw: {build} is out of date: ").partition(";")[0]

    build.mkdir()
    assert sent() == "the last run that compiled it was cut off, or none did"
    _Compile(build, service).run()
    assert sent().startswith("/")
    site = next((service / "sites").iterdir())
    text = site.read_text()
    site.write_text(f"{text}# a word\n")
    assert sent() == f"the service in {service} was changed after it was compiled"
    _Compile(build, service).run()
    assert sent().startswith("/")
    (service / "retired.yml").write_text("numbers: [99]\n")
    assert sent() == f"the service in {service} was changed after it was compiled"
    _Compile(build, service).run()
    this = heiiki.__version__
    monkeypatch.setattr("heiiki.__version__", "9.9.9")
    assert sent() == f"it was compiled by heiiki {this}"


def test_a_folder_without_a_build_in_it_is_refused(tmp_path: Path, service: Path) -> None:
    (tmp_path / "build/configs").mkdir(parents=True)
    (tmp_path / "build/configs/core.cfg").write_text("mine")
    with pytest.raises(AnsibleError, match="holds configs, which heiiki did not write"):
        _Compile(tmp_path / "build", service).run()
    assert (tmp_path / "build/configs/core.cfg").read_text() == "mine"


def test_the_builds_of_another_service_are_not_overwritten_while_it_exists(
    tmp_path: Path, service: Path
) -> None:
    build, moved = tmp_path / "build", tmp_path / "moved"
    _Compile(build, service).run()
    shutil.copytree(service, moved)
    with pytest.raises(AnsibleError) as caught:
        _Compile(build, moved).run()
    assert str(caught.value) == (
        f"{build}: holds the builds of the service in {service}, and this one is in {moved}: "
        "give one of them another name (service.yml), or name another folder (--out or heiiki_build)"
    )
    shutil.rmtree(service)
    assert _Compile(build, moved).run()["changed"] is False


class _Action(ActionModule):
    """The action without Ansible around it: what it would send is kept, and the node answers as told."""

    def __init__(self, arguments: dict[str, Any], answer: dict[str, Any]) -> None:
        self._arguments = arguments
        self._answer = answer
        self.sent: dict[str, Any] = {}
        self._task = type("Task", (), {"check_mode": False})()

    def validate_argument_spec(self, *_: Any, **__: Any) -> tuple[None, dict[str, Any]]:
        return None, self._arguments

    def _execute_module(self, **call: Any) -> dict[str, Any]:
        self.sent = call
        return self._answer


def test_the_action_sends_one_module_call_and_its_result_holds_no_secret(
    build: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "ansible_collections.heiiki.network.plugins.action.linux_node.secrets_for",
        lambda _service, _state: nullcontext(secret),
    )
    monkeypatch.setattr("ansible.plugins.action.ActionBase.run", lambda *_: {})
    answer = {"changed": True, "invocation": {"module_args": {"secrets": {"k": VALUE}}}}
    action = _Action({"device": None, "build": str(build), "service_dir": None, "secret_state": None}, answer)
    result = action.run(task_vars={"inventory_hostname": "b-hss"})
    assert action.sent["module_name"] == "heiiki.network.linux_node"
    assert action.sent["module_args"]["secrets"] == {"{{secret:sims/umeda:k}}": VALUE}
    assert result == {"changed": True}


def test_the_module_keeps_its_secrets_out_of_what_it_answers() -> None:
    assert linux_node.ARGUMENTS["secrets"]["no_log"] is True


def test_a_missing_package_is_told_with_what_to_do() -> None:
    with pytest.raises(
        AnsibleError, match=r"needs the package heiiki, which .* does not have: run `make setup`"
    ):
        _heiiki.package("heiiki.nothing_of_that_name")
