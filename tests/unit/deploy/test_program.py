"""Programs on their way to a device: what they carry, and that they run there."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from heiiki.deploy import apply_program, program
from heiiki.errors import SecretError
from heiiki.plan.model import Function, Plan
from heiiki.render import compile_device


def run(source: bytes) -> dict[str, Any]:
    done = subprocess.run([sys.executable, "-I", "-"], input=source, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_a_program_brings_the_modules_that_it_imports() -> None:
    asked = {"step": "assess", "check": True}
    answer = run(program("certificate", asked))
    assert answer["changed"] is False
    assert "apply the device's build first" in answer["error"]


def test_a_build_is_applied_by_the_collections_own_code(tmp_path: Path) -> None:
    # Into a folder: the root of this machine must not be changed.
    entry = {"path": "/etc/x", "content": "{{secret:sim/1:k}}\n", "mode": "0644", "owner": "root"}
    parameters = {"files": [{**entry, "validate": [], "service": "", "secret": True}], "services": []}
    source = program("apply", {**parameters, "secrets": {"{{secret:sim/1:k}}": "00"}}).decode()
    assert source.count("manager=find(),") == 1
    placed = source.replace(
        "manager=find(),", f"manager=find(), root=__import__('pathlib').Path({str(tmp_path)!r}),"
    )
    assert run(placed.encode()) == {"changed": ["/etc/x"], "error": ""}
    assert (tmp_path / "etc/x").read_text() == "00\n"
    assert run(placed.encode()) == {"changed": [], "error": ""}


def test_secrets_are_read_for_the_build_and_sent_beside_it(lab_plan: Plan) -> None:
    hss = next(device for device in lab_plan.devices if device.function is Function.HSS)
    asked: list[tuple[str, str]] = []

    def read(path: str, field: str) -> str:
        asked.append((path, field))
        return f"value of {field}"

    source = apply_program(compile_device(lab_plan, hss), read).decode()
    assert "value of opc" in source
    assert {field for _, field in asked} == {"k", "opc"}


KEYS = {f"{{{{secret:sim/{number}:k}}}}": f"{number}0" for number in (1, 2, 3)}
FORMER = "[\n" + ",\n".join(
    f'  {{"imsi": "{number}", "k": "{{{{secret:sim/{number}:k}}}}"}}' for number in (1, 2, 3)
)


def applied(
    tmp_path: Path, content: str, *former: str, secrets: dict[str, str] | None = None
) -> dict[str, Any]:
    entry = {"path": "/etc/x", "content": content, "mode": "0644", "owner": "root", "validate": []}
    parameters = {"files": [entry | {"service": "", "secret": True}], "services": []}
    held = {"former": {"/etc/x": [*former, content]}} if former else {}
    source = program("apply", {**parameters, "secrets": secrets or {}, **held}).decode()
    root = f"__import__('pathlib').Path({str(tmp_path)!r})"
    source = source.replace("manager=find(),", f"manager=find(), root={root},")
    return run(
        source.replace('parameters.get("former", {})', f'parameters.get("former", {{}}), {root}').encode()
    )


def test_a_device_keeps_the_secrets_that_it_holds_whatever_goes_beside_them(tmp_path: Path) -> None:
    applied(tmp_path, FORMER, secrets=KEYS)
    without = FORMER.replace(',\n  {"imsi": "3", "k": "{{secret:sim/3:k}}"}', "")
    assert without != FORMER
    for changed in (["/etc/x"], []):
        assert applied(tmp_path, without, FORMER) == {"changed": changed, "error": ""}
        assert (
            tmp_path / "etc/x"
        ).read_text() == '[\n  {"imsi": "1", "k": "10"},\n  {"imsi": "2", "k": "20"}'


@pytest.mark.parametrize(
    ("old", "new"), [('"imsi": "2"', '"imsi": "7"'), ("[\n", "[\n\n"), ('"k": "20"', '"k": ""')]
)
def test_a_file_that_is_not_what_was_sent_gives_no_secret_and_stays(
    tmp_path: Path, old: str, new: str
) -> None:
    applied(tmp_path, FORMER, secrets=KEYS)
    path = tmp_path / "etc/x"
    path.write_text(path.read_text().replace(old, new))
    before = path.read_text()
    done = applied(tmp_path, FORMER.replace("1", "1"), FORMER)
    assert done["error"].endswith("/etc/x is not what was sent before: the secrets in it cannot be read back")
    assert path.read_text() == before


def test_a_secret_that_cannot_be_read_is_an_error(lab_plan: Plan) -> None:
    def away(path: str, _field: str) -> str:
        raise SecretError(f"secret {path} cannot be read")

    hss = next(device for device in lab_plan.devices if device.function is Function.HSS)
    with pytest.raises(SecretError, match="cannot be read"):
        apply_program(compile_device(lab_plan, hss), away)
