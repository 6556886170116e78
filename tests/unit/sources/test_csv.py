"""`heiiki import csv`: what is written, what is kept, and every mistake at its row and column."""

import shutil
import signal
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from heiiki import files, sources
from heiiki.cli.main import cli
from heiiki.errors import IntentError, SourceError
from heiiki.intent import load
from heiiki.intent.place import IMPORTED
from heiiki.sources import Change, read_csv, writing

EXAMPLE = Path(__file__).parents[3] / "inventories" / "lab"
HEAD = "number,name,customer,redundancy,primary,controller,resources,a.circuit,a.pe,b.sim"
KITANO = "2,kitano,Kitano Cold Store,networks,a,erc,heat_storage:indirect,A-0002,pe2,440100000000002"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(EXAMPLE, tmp_path / "lab")
    return tmp_path / "lab"


def table(folder: Path, *rows: str) -> Path:
    file = folder.parent / "sites.csv"
    file.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    return file


def run(file: Path, folder: Path, *options: str) -> Result:
    result = CliRunner().invoke(cli, ["import", "csv", str(file), str(folder), *options])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text("utf-8") for path in sorted((folder / "sites").iterdir())}


def problems(folder: Path, *rows: str) -> list[str]:
    """The problems of a table, which must be refused and change nothing."""
    before, result = texts(folder), run(table(folder, *rows), folder)
    assert (result.exit_code, result.stdout, texts(folder)) == (2, "", before)
    said = result.stderr.replace(f"{folder.parent}/", "").splitlines()
    assert said[-1] == f"{len(said) - 1} problem{'s' * (len(said) != 2)}"
    return said[:-1]


def test_a_new_site_is_a_new_file_and_a_second_run_changes_nothing(folder: Path) -> None:
    before = texts(folder)
    result = run(table(folder, HEAD, KITANO), folder)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[:2] == [
        "sites/0002-kitano.yml: new",
        f"{folder}: 1 new, 0 changed, 0 as they were",
    ]
    assert result.stderr == (
        "not in the source, left as they are: 0017-umeda.yml, 0023-namba.yml, 0042-sakai.yml\n"
    )
    assert texts(folder) == before | {
        "0002-kitano.yml": "number: 2\nname: kitano\ncustomer: Kitano Cold Store\nredundancy: networks\n"
        "primary: a\ncontroller: erc\nresources:\n  - {kind: heat_storage, control: indirect}\n"
        'a: {circuit: A-0002, pe: pe2}\nb: {sim: "440100000000002"}\n'
    }
    after = texts(folder)
    again = run(table(folder, HEAD, KITANO), folder)
    assert again.stdout.splitlines()[0] == f"{folder}: 0 new, 0 changed, 1 as they were"
    assert texts(folder) == after


def test_optical_access_is_a_column(folder: Path) -> None:
    result = run(table(folder, f"{HEAD},a.access", f"{KITANO},pppoe"), folder)
    assert result.exit_code == 0, result.stderr
    assert "a: {access: pppoe, circuit: A-0002, pe: pe2}\n" in texts(folder)["0002-kitano.yml"]
    (problem,) = problems(folder, f"{HEAD},a.access", f"{KITANO},ipoe")
    assert problem == "sites.csv:2:11: a.access: `ipoe` is not known; write one of `ethernet`, `pppoe`"


def test_a_key_of_the_source_is_changed_and_all_else_is_kept(folder: Path) -> None:
    before = texts(folder)
    result = run(table(folder, "number,name,a.circuit,a.mtu,customer", "17,umeda,A-9000,1400,"), folder)
    assert result.stdout.splitlines()[0] == "sites/0017-umeda.yml: changed: a.circuit, a.mtu"
    old = "a: {access: ethernet, circuit: A-7781, pe: pe2}"
    new = "a: {access: ethernet, circuit: A-9000, pe: pe2, mtu: 1400}"
    assert before["0017-umeda.yml"].count(old) == 1
    assert texts(folder) == before | {"0017-umeda.yml": before["0017-umeda.yml"].replace(old, new)}


def test_check_mode_shows_the_diff_and_writes_nothing(folder: Path) -> None:
    before = texts(folder)
    result = run(table(folder, "number,name,primary", "17,umeda,b"), folder, "--check", "--diff")
    assert result.stdout.startswith("--- a/sites/0017-umeda.yml\n+++ b/sites/0017-umeda.yml\n@@ ")
    assert "\n-primary: a   " in result.stdout
    assert "\n+primary: b   " in result.stdout
    assert "0 new, 1 changed, 0 as they were; nothing was written (--check)" in result.stdout
    assert texts(folder) == before


def test_the_outcome_is_judged_as_check_judges(folder: Path) -> None:
    rows = ("number,name,a.platform", "17,umeda,yamaha_rtx")
    result = run(table(folder, *rows), folder)
    assert result.exit_code == 1  # a Yamaha has no BFD: R-GAP fails
    assert "`heiiki check` says what fails" in result.stderr
    assert CliRunner().invoke(cli, ["check", str(folder)]).exit_code == 1


def test_every_mistake_is_told_at_its_row_and_column(folder: Path) -> None:
    assert problems(
        folder,
        HEAD,
        "2,kitano,,network,a,erc,heat_storage,A-7781,pe9,440100000000002",
        "three,honmachi,Honmachi,networks,a,erc,heat_storage:indirect,A-0003,pe2,440100000000003",
    ) == [
        (
            "sites.csv:2:3: customer: `customer` is missing, and the site is new; "
            "add the column `customer`, or fill the cell in"
        ),
        (
            "sites.csv:2:4: redundancy: `network` is not known; "
            "write one of `networks`, `networks_and_equipment`"
        ),
        "sites.csv:2:7: resources: `heat_storage` has the wrong form; write kind:control, with `;` between",
        "sites.csv:3:1: number: `three` is not a whole number; write digits",
    ]


def test_columns_are_named(folder: Path) -> None:
    assert problems(folder, "nummer,name,,sim,sim", "17,umeda,,,") == [
        "sites.csv:1:0: number: the column is missing; add it: it says which site a row is",
        "sites.csv:1:1: nummer: there is no such column; did you mean `number`?",
        "sites.csv:1:3: the column has no name; name it, or remove it",
        "sites.csv:1:4: sim: there is no such column; did you mean `b.sim`?",
        "sites.csv:1:5: sim: column 4 has the same name; keep one of them",
    ]


def test_another_separator_is_named(folder: Path) -> None:
    said = problems(folder, "number;name", "17;umeda")
    assert said[-1] == (
        "sites.csv:1:1: number;name: there is no such column; separate columns by commas, not by `;`"
    )


def test_a_column_that_new_sites_need_is_told_once(folder: Path) -> None:
    rows = [f"{number},site{number:04d},X,networks,a,erc,A-{number},pe2" for number in (101, 102)]
    head = "number,name,customer,redundancy,primary,controller,a.circuit,a.pe"
    assert problems(folder, head, *rows) == [
        (
            "sites.csv:1:0: b.sim: the column is missing, and 2 new sites lack it; "
            "add the column `b.sim`, or fill the cell in"
        ),
        (
            "sites.csv:1:0: resources: the column is missing, and 2 new sites lack it; "
            "add the column `resources`, or fill the cell in"
        ),
    ]


def test_two_rows_that_disagree_are_a_conflict(folder: Path) -> None:
    other = KITANO.replace("A-0002", "a-0002").replace("kitano,", "tenma,", 1)
    assert problems(folder, HEAD, KITANO, other) == [
        f"sites.csv:3:{column}: {key}: {value} is used twice; the first is in row 2; "
        "give each site its own, and write each site once"
        for column, key, value in (
            (1, "number", "2"),
            (8, "a.circuit", "a-0002"),
            (10, "b.sim", "440100000000002"),
        )
    ]


def test_a_conflict_with_a_site_that_the_source_does_not_have_is_told_at_the_cell(folder: Path) -> None:
    row = KITANO.replace("440100000000002", "440100000000042").replace("A-0002", "A-7803")
    assert problems(folder, HEAD, row) == [
        f"sites.csv:2:{column}: {key}: {word} {value} is used twice; the first is in 0042-sakai.yml; "
        f"give this site its own {word}"
        for column, key, word, value in (
            (8, "a.circuit", "circuit", "A-7803"),
            (10, "b.sim", "SIM", "440100000000042"),
        )
    ]
    assert problems(folder, "number,name,a.circuit", "17,umeda,a-7803") == [
        (
            "sites.csv:2:3: a.circuit: circuit a-7803 is used twice; the first is in 0042-sakai.yml; "
            "give this site its own circuit"
        )
    ]


def test_a_number_and_a_name_are_permanent(folder: Path) -> None:
    assert problems(folder, "number,name", "17,kitano", "18,namba") == [
        (
            "sites.csv:2:2: name: `kitano` is not the name of number 17, which is sites/0017-umeda.yml; "
            "write `umeda`: a name is permanent"
        ),
        (
            "sites.csv:3:1: number: 18 is not the number of `namba`, which is sites/0023-namba.yml; "
            "write 23: a number is permanent"
        ),
    ]
    assert problems(folder, HEAD, KITANO.replace("2,kitano", "0,Kitano", 1))[0] == (
        "sites.csv:2:0: `0000-Kitano` is not the name of a site file; "
        "take a number from 1 to 9999, and for the name small letters, digits and single `_`"
    )


def test_a_retired_number_does_not_come_back(folder: Path) -> None:
    (folder / "retired.yml").write_text("numbers: [2]\n", encoding="utf-8")
    assert problems(folder, HEAD, KITANO) == [
        (
            "sites.csv:2:1: number: number 2 is retired: its addresses must not come back; "
            "take a number that was never used"
        )
    ]


def test_a_mistake_in_a_hand_written_part_stays_where_it_is(folder: Path) -> None:
    file = folder / "sites" / "0017-umeda.yml"
    file.write_text(file.read_text("utf-8").replace("bems", "bem"), encoding="utf-8")
    (said,) = problems(folder, "number,name,primary", "17,umeda,b")
    assert said.startswith("lab/sites/0017-umeda.yml:6:1: controller: `bem` is not known")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "the file is empty; begin it with a row that names the columns"),
        ("number,name\n17,梅田\n".encode("cp932"), "line 2 is not UTF-8 text; save it as `CSV UTF-8`"),
        (b'number,name\n17,"umeda\n', "this is not CSV: unexpected end of data; write it as RFC 4180 says"),
    ],
)
def test_what_is_no_table_is_told(folder: Path, content: bytes, told: str) -> None:
    file = folder.parent / "sites.csv"
    file.write_bytes(content)
    result = run(file, folder)
    assert (result.exit_code, result.stderr) == (1, f"Error: {file}: {told}\n")


def test_spreadsheets_write_marks_quotes_and_empty_rows(folder: Path) -> None:
    file = folder.parent / "sites.csv"
    row = KITANO.replace("Kitano Cold Store", '"Kitano, Cold #2"')
    rows = f"{HEAD}\r\n,,,,,,,,,\r\n{row}\r\n"
    file.write_bytes(b"\xef\xbb\xbf" + rows.encode())
    assert run(file, folder).exit_code == 0
    assert [site.customer for site in load(folder).sites if site.number == 2] == ["Kitano, Cold #2"]


def test_a_row_that_is_too_long_is_told(folder: Path) -> None:
    assert problems(folder, "number,name,customer", "17,umeda,Kita, Building") == [
        "sites.csv:2:4: the row has 4 cells, and 3 columns have a name; put a text with a comma in quotes"
    ]


def changes(folder: Path) -> tuple[Change, ...]:
    file = table(folder, "number,name,customer", "17,umeda,New 1", "23,namba,New 2", "42,sakai,New 3")
    return sources.propose(folder, read_csv(file)).changes


def test_a_full_disk_changes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, wanted, drafted = texts(folder), changes(folder), []

    really = files.draft

    def draft(path: Path, data: bytes, mode: int) -> AbstractContextManager[Path]:
        drafted.append(path)
        if len(drafted) == 2:
            raise OSError(28, "No space left on device", str(path))
        return really(path, data, mode)

    monkeypatch.setattr(files, "draft", draft)
    with pytest.raises(SourceError, match="No space left on device; make room"):
        sources.write(folder, wanted)
    assert texts(folder) == before


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_an_import_that_is_cut_off_while_it_writes_is_refused_until_it_is_finished(
    folder: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    wanted, done = changes(folder), []

    class KilledError(BaseException):
        pass

    def put(sites: Path) -> tuple[str, ...]:
        for path in sorted((sites / IMPORTED).iterdir())[:count]:
            path.replace(sites / path.name)
            done.append(path)
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(writing, "_put", put)
        with pytest.raises(KilledError):
            sources.write(folder, wanted)
    with pytest.raises(IntentError, match="an import was cut off while it wrote; run `heiiki import finish`"):
        load(folder)
    result = CliRunner().invoke(cli, ["import", "finish", str(folder)])
    assert (result.exit_code, len(result.stdout.splitlines())) == (0, max(1, 3 - count))
    assert [site.customer for site in load(folder).sites] == ["New 1", "New 2", "New 3"]
    assert sorted(texts(folder)) == ["0017-umeda.yml", "0023-namba.yml", "0042-sakai.yml"]


def test_what_was_not_decided_is_forgotten(folder: Path) -> None:
    (folder / "sites" / ".importing").mkdir()
    (folder / "sites" / ".importing" / "0017-umeda.yml").write_text("half", encoding="utf-8")
    sources.write(folder, changes(folder))
    assert [site.customer for site in load(folder).sites] == ["New 1", "New 2", "New 3"]


def test_a_file_that_was_changed_meanwhile_is_not_overwritten(folder: Path) -> None:
    wanted = changes(folder)
    file = folder / "sites" / "0023-namba.yml"
    file.write_text(file.read_text("utf-8") + "# mine\n", encoding="utf-8")
    before = texts(folder)
    with pytest.raises(SourceError, match="was changed meanwhile; nothing was written: run again"):
        sources.write(folder, wanted)
    assert texts(folder) == before


def test_modes_of_files_stay(folder: Path) -> None:
    file = folder / "sites" / "0017-umeda.yml"
    file.chmod(0o640)
    sources.write(folder, changes(folder))
    assert file.stat().st_mode & 0o777 == 0o640


def test_a_killed_import_leaves_the_old_or_the_new_service(folder: Path) -> None:
    """What `load` reads afterwards is the old service or, once the import is finished, the new one."""
    file = table(folder, "number,name,customer", "17,umeda,New 1", "23,namba,New 2", "42,sakai,New 3")
    old = [site.customer for site in load(folder).sites]
    program = (
        "import os, sys; from pathlib import Path; from heiiki import files, sources\n"
        "folder, file, left = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])\n"
        "wanted = sources.propose(folder, sources.read_csv(file)).changes\n"
        "def count(event, arguments):\n"
        "    global left\n"
        "    if event in ('os.rename', 'os.rmdir', 'os.mkdir'):\n"
        "        left -= 1\n"
        "        if left < 0: os.kill(os.getpid(), 9)\n"
        "sys.addaudithook(count)\n"
        "sources.write(folder, wanted)\n"
    )
    codes, seen = [], set()
    for point in range(40):
        here = folder.parent / f"try{point}" / "lab"
        shutil.copytree(folder, here)
        code = subprocess.run([sys.executable, "-c", program, here, file, str(point)], check=False).returncode
        codes.append(code)
        sources.finish(here)
        found = [site.customer for site in load(here).sites]
        assert found in (old, ["New 1", "New 2", "New 3"])
        seen.add(tuple(found))
        if code == 0:
            break
        assert code == -signal.SIGKILL
    assert codes[-1] == 0
    assert len(codes) > 5
    assert seen == {tuple(old), ("New 1", "New 2", "New 3")}
