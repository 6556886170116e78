"""What people type, and what they get: output, exit code, and never a traceback."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner, Result

from heiiki import service as use_cases
from heiiki.cli.main import cli
from heiiki.cli.reference import reference_files
from heiiki.cli.table import verdict_table
from heiiki.errors import HeiikiError
from heiiki.requirements import Result as Found
from heiiki.requirements import Stage, Verdict

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "inventories" / "lab"


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def commands(group: click.Group, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = []
    for name, command in group.commands.items():
        found.append((*path, name))
        if isinstance(command, click.Group):
            found += commands(command, (*path, name))
    return found


@pytest.mark.parametrize("path", [(), *commands(cli)], ids=" ".join)
def test_help_says_what_it_does(path: tuple[str, ...]) -> None:
    result = run(*path, "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: cli {' '.join(path)}".rstrip())


@pytest.mark.parametrize(
    "path", [(), ("new",), ("check",), ("compile",), ("reference",), ("lab",)], ids=" ".join
)
def test_help_has_examples(path: tuple[str, ...]) -> None:
    text = run(*path, "--help").stdout
    assert "Example" in text
    assert f"  heiiki {' '.join(path)}" in text


def test_new_makes_a_service_that_passes_but_for_what_nobody_examined(tmp_path: Path) -> None:
    folder = tmp_path / "Osaka-2"
    assert run("new", folder).stdout == f"{folder}: 2 files; next: heiiki check {folder}\n"
    result = run("check", folder)
    assert (result.exit_code, result.stderr) == (1, "")
    assert " pass, 0 FAIL, 3 UNKNOWN, " in result.stdout.splitlines()[-1]
    lines = result.stdout.splitlines()
    (at,) = (index for index, line in enumerate(lines) if line.startswith("R-DUAL"))
    assert lines[at].endswith("UNKNOWN")
    assert "write `risks:` in service.yml" in " ".join(line.strip() for line in lines[at + 1 : at + 4])
    places = [index for index, line in enumerate(lines) if line.startswith("R-CLOSED/carrier")]
    assert [lines[at].split()[1:] for at in places] == [["network", one, "UNKNOWN"] for one in "ab"]
    told = " ".join(line.strip() for line in lines[places[0] + 1 : places[1]])
    assert "write `transit:` below `networks: a:` in service.yml" in told


def test_the_template_leads_to_what_is_to_be_declared(tmp_path: Path) -> None:
    run("new", tmp_path / "osaka")
    file = tmp_path / "osaka" / "service.yml"
    declared = re.sub(r"^# (risks:|  )", r"\1", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    declared = re.sub(r"^    # (transit:)", r"    \1", declared, flags=re.MULTILINE)
    file.write_text(declared, encoding="utf-8")
    found = json.loads(run("check", tmp_path / "osaka", "--json").stdout)["verdicts"]
    assert [(one["result"], one["reason"]) for one in found if one["requirement"] == "R-DUAL"] == [
        ("fail", "duct duct-3 joins a-pe1 of A with b-edge of B")
    ]
    assert {one["result"] for one in found if one["requirement"] == "R-CLOSED/carrier"} == {"pass"}


def test_check_tells_a_former_key_and_examines_the_service_all_the_same(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE, tmp_path / "lab")
    file = tmp_path / "lab" / "service.yml"
    file.write_text(file.read_text(encoding="utf-8").replace("test_equipment:", "witnesses:"), "utf-8")
    result = run("check", tmp_path / "lab")
    assert (result.exit_code, result.stdout) == (0, run("check", EXAMPLE).stdout)
    assert result.stderr.startswith(f"deprecated: {file}:")
    assert result.stderr.count("`test_equipment`") == len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "options",
    [
        ("state",),
        ("verify",),
        ("renew",),
        ("rotate", "--authority", "issuing"),
        ("revoke", "umeda-gw-b", "--reason", "lost"),
        ("reinstate", "umeda-gw-b"),
    ],
    ids=lambda options: options[0],
)
def test_every_command_that_reads_a_service_tells_a_former_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise HeiikiError("not in this test")

    for name in ("verify", "renew", "rotate", "revoke", "reinstate"):
        monkeypatch.setattr(use_cases, name, refuse)
    shutil.copytree(EXAMPLE, tmp_path / "lab")
    file = tmp_path / "lab" / "service.yml"
    file.write_text(file.read_text(encoding="utf-8").replace("test_equipment:", "witnesses:"), "utf-8")
    said = run(options[0], tmp_path / "lab", *options[1:]).stderr.splitlines()
    assert [line for line in said if "not in this test" not in line] == [said[0]]
    assert said[0].startswith(f"deprecated: {file}:")


@pytest.mark.parametrize(("sites", "seed"), [(1, 1), (2, 9), (120, 7)])
def test_generated_services_pass(tmp_path: Path, sites: int, seed: int) -> None:
    assert run("new", tmp_path / "made", "--sites", sites, "--seed", seed).exit_code == 0
    assert run("check", tmp_path / "made").exit_code == 0


def test_generated_services_mix_all_variants(tmp_path: Path) -> None:
    run("new", tmp_path / "made", "--sites", 100)
    sites = [yaml.safe_load(path.read_text()) for path in (tmp_path / "made" / "sites").iterdir()]
    assert {(site["redundancy"], site["primary"]) for site in sites} == {
        (redundancy, primary) for redundancy in ("networks", "networks_and_equipment") for primary in "ab"
    }
    assert {site["controller"] for site in sites} == {"bems", "erc"}
    assert len({site["a"]["pe"] for site in sites}) > 1


def test_one_seed_one_service(tmp_path: Path) -> None:
    for name in ("one", "two"):
        run("new", tmp_path / name / "same", "--sites", 20, "--seed", 3)
    texts = [
        {path.name: path.read_text() for path in sorted((tmp_path / name / "same").rglob("*.yml"))}
        for name in ("one", "two")
    ]
    assert texts[0] == texts[1]


def test_of_two_new_at_once_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pathlib.Path.iterdir", lambda _: iter(()))  # each looked before the other wrote
    assert run("new", tmp_path / "made").exit_code == 0
    before = (tmp_path / "made/service.yml").read_text()
    result = run("new", tmp_path / "made")
    assert (result.exit_code, (tmp_path / "made/service.yml").read_text()) == (1, before)
    assert "service.yml: File exists" in result.stderr


@pytest.mark.parametrize("name", ["intent.md", "site.schema.json"])
def test_a_reference_overwrites_its_own_pages_alone(tmp_path: Path, name: str) -> None:
    for _ in range(2):
        assert run("reference", tmp_path).exit_code == 0
    (tmp_path / name).write_text("mine")
    (tmp_path / "timers.md").unlink()
    result = run("reference", tmp_path)
    assert result.exit_code == 2
    assert f"{tmp_path / name} was not made by heiiki reference: name another folder" in result.stderr
    assert ((tmp_path / name).read_text(), (tmp_path / "timers.md").exists()) == ("mine", False)


def test_a_reference_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "timers.md").symlink_to("mine")
    assert run("reference", tmp_path).exit_code == 2
    assert (tmp_path / "mine").read_text() == "mine"


def test_two_compilations_into_one_folder_take_turns(tmp_path: Path) -> None:
    command = [Path(sys.executable).with_name("heiiki"), "compile", EXAMPLE, "--out", tmp_path / "out"]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = sorted(one.communicate()[0].rpartition(" devices, ")[2] for one in runs)
    assert [one.returncode for one in runs] == [0, 0, 0]
    assert said == ["0 changed\n", "0 changed\n", "20 changed\n"]


def test_new_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("")
    result = run("new", tmp_path)
    assert result.exit_code == 2
    assert result.stderr.endswith(
        f"Error: {tmp_path} is not empty: name a new folder, nothing is overwritten\n"
    )


def test_new_where_a_file_stands(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    result = run("new", file)
    assert result.exit_code == 1
    assert result.stderr == f"Error: {file}: Not a directory; name a place that can be written\n"


def test_check_json_round_trips() -> None:
    result = run("check", EXAMPLE, "--json")
    document = json.loads(result.stdout)
    assert result.exit_code == 0
    assert document["service"] == "lab"
    rebuilt = [
        Verdict(
            **{name: value for name, value in item.items() if name != "clause"}
            | {"stage": Stage(item["stage"]), "result": Found(item["result"]), "evidence": ()}
        )
        for item in document["verdicts"]
    ]
    assert verdict_table(rebuilt) + "\n" == run("check", EXAMPLE).stdout


def test_check_says_fail_and_why(tmp_path: Path) -> None:
    run("new", tmp_path / "made")
    service = tmp_path / "made" / "service.yml"
    service.write_text(service.read_text().replace("monthly_yen: 980", "monthly_yen: 1200"))
    result = run("check", tmp_path / "made")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    at = next(index for index, line in enumerate(lines) if line.endswith("FAIL"))
    assert lines[at].split() == [
        "R-COST",
        "first",
        "on",
        "network",
        "a",
        "1,200",
        "≤",
        "1,000",
        "yen",
        "a",
        "month",
        "FAIL",
    ]
    assert lines[at + 1].endswith("(TR-1072 5.3.1)")
    assert ", 1 FAIL, " in lines[-1]


def test_check_of_no_folder() -> None:
    result = run("check", "nowhere")
    assert result.exit_code == 2
    assert result.stderr.endswith("Error: Invalid value for 'FOLDER': Directory 'nowhere' does not exist.\n")


def test_compile_twice_changes_nothing(tmp_path: Path) -> None:
    assert run("compile", EXAMPLE, "--out", tmp_path).stdout == f"{tmp_path}: 20 devices, 20 changed\n"
    assert run("compile", EXAMPLE, "--out", tmp_path).stdout == f"{tmp_path}: 20 devices, 0 changed\n"


def test_compile_where_a_file_stands(tmp_path: Path) -> None:
    out = tmp_path / "file"
    out.write_text("")
    result = run("compile", EXAMPLE, "--out", out)
    assert result.exit_code == 1
    assert result.stderr == f"Error: {out}: Not a directory; name a place that can be written\n"


def test_a_bound_from_below_is_told_as_such() -> None:
    margin = Verdict("R-X", "s", Stage.DESIGN, Found.PASS, "", 240.0, 168.0, "h margin")
    assert "240 ≥ 168 h margin" in verdict_table((margin,))


def test_an_empty_table_has_totals() -> None:
    assert verdict_table(()) == "0 pass, 0 FAIL, 0 UNKNOWN, 0 n/a"


@pytest.mark.parametrize("name", sorted(reference_files()))
def test_reference_is_not_stale(name: str) -> None:
    """`heiiki reference docs/reference` writes it."""
    assert (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8") == reference_files()[name]


def test_reference_holds_nothing_else() -> None:
    # The description of the REST API is of the program that serves it, and has a test there.
    every = [*reference_files(), "openapi.json"]
    assert sorted(path.name for path in (ROOT / "docs" / "reference").iterdir()) == sorted(every)


def test_every_key_of_the_template_is_in_the_reference(tmp_path: Path) -> None:
    run("new", tmp_path / "made")
    page = reference_files()["intent.md"]
    here = [yaml.safe_load(path.read_text()) for path in (tmp_path / "made").rglob("*.yml")]
    while here:
        value = here.pop()
        if isinstance(value, dict):
            assert [key for key in value if f"| `{key}` |" not in page] == []
        here += value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


@pytest.mark.parametrize(
    ("folder", "service"),
    [
        ("true", "true"),
        ("False", "false"),
        ("null", "null"),
        ("no", "no"),
        ("2026", "s2026"),
        ("1e5", "s1e5"),
        ("大阪", "service"),
        ("Zürich", "zurich"),
        ("demand-response-osaka", "demand_response"),
        ("xn--base", "xn_base"),
        ("_a__b_", "a_b"),
    ],
)
def test_new_in_a_folder_of_any_name_has_no_mistake(tmp_path: Path, folder: str, service: str) -> None:
    assert run("new", tmp_path / folder).exit_code == 0
    result = run("check", tmp_path / folder, "--json")
    assert (result.exit_code, json.loads(result.stdout)["service"]) == (1, service)


def test_new_here_is_called_as_the_folder_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "osaka").mkdir()
    monkeypatch.chdir(tmp_path / "osaka")
    assert run("new", ".").stdout == ".: 2 files; next: heiiki check .\n"
    assert json.loads(run("check", ".", "--json").stdout)["service"] == "osaka"


@pytest.mark.parametrize(
    ("price", "extra", "figure", "result"),
    [
        (12_000, "0.2", "12,000 ≤ 1,000 yen a month", "FAIL"),
        (1_234_567, "0.2", "1,234,567 ≤ 1,000 yen a month", "FAIL"),
        (1_000, "0.2", "1,000 ≤ 1,000 yen a month", "pass"),
        (1_000, "0.0001", "1,000.03 ≤ 1,000 yen a month", "FAIL"),
        (1_000, "0.0000001", "1,000.00003 ≤ 1,000 yen a month", "FAIL"),
    ],
)
def test_a_price_reads_as_it_is_judged(
    tmp_path: Path, price: int, extra: str, figure: str, result: str
) -> None:
    """1,000 yen and a fraction are more than 1,000 yen, and read so."""
    run("new", tmp_path / "made")
    service = tmp_path / "made" / "service.yml"
    volume = 3000 if extra == "0.2" else 0
    tariff = f"monthly_yen: {price}, included_mb: {volume}, yen_per_extra_mb: {extra}"
    text = service.read_text()
    old = "monthly_yen: 600, included_mb: 4000, yen_per_extra_mb: 0.2"
    assert old in text
    service.write_text(text.replace(old, tariff))
    lines = run("check", tmp_path / "made").stdout.splitlines()
    (line,) = (line for line in lines if re.match("R-COST +first on network b +[0-9]", line))
    assert " ".join(line.split()) == f"R-COST first on network b {figure} {result}"
    document = json.loads(run("check", tmp_path / "made", "--json").stdout)
    (found,) = (item for item in document["verdicts"] if item["subject"] == "first on network b")
    assert (found["measured"] > found["bound"]) is (found["result"] == "fail")
