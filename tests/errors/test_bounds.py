"""Values at their bounds: what is just right is taken, what is just wrong is refused at its own key."""

import codecs
import errno
import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from heiiki.cli.main import cli
from heiiki.errors import IntentError
from heiiki.intent import load

BASE = Path(__file__).parent / "base"
SERVICE, SITE = "service.yml", "sites/0017-umeda.yml"
WIDE = [
    ("site_lan: 10.16.0.0/18", "site_lan: 10.16.0.0/14"),
    ("access_a: 10.80.0.0/20", "access_a: 10.80.0.0/16"),
    ("loopback_a: 10.96.0.0/22", "loopback_a: 10.96.0.0/18"),
    ("sim_b: 10.112.0.0/22", "sim_b: 10.112.0.0/18"),
    ("tunnel_a: 10.144.0.0/20", "tunnel_a: 10.144.0.0/16"),
    ("tunnel_b: 10.128.0.0/20", "tunnel_b: 10.128.0.0/16"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BASE, tmp_path, dirs_exist_ok=True))


def change(path: Path, *changes: tuple[str, str]) -> None:
    text = path.read_text(encoding="utf-8")
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


def check(folder: Path) -> Result:
    return CliRunner().invoke(cli, ["check", str(folder)])


def places(folder: Path) -> list[str]:
    """The keys at which something is wrong."""
    try:
        load(folder)
    except IntentError as error:
        return [problem.where for problem in error.problems]
    return []


@pytest.mark.parametrize(
    ("number", "right"),
    [
        *((text, True) for text in ("64512", "65534", "64700")),
        *((text, False) for text in ("0", "23456", "64511", "65535", "65536", "4200000000", "-64512")),
        *((text, False) for text in ("0064512", "AS64900", "64512.0", '"64512"', "64_512", "６４５１２")),  # noqa: RUF001
    ],
)
def test_as_numbers(folder: Path, number: str, right: bool) -> None:
    change(folder / SERVICE, ("sites_as_number: 64530", f"sites_as_number: {number}"))
    assert places(folder) == ([] if right else ["sites_as_number"])


@pytest.mark.parametrize(
    ("tac", "right"),
    [("1", True), ("65535", True), ("0", False), ("65536", False), ("0x1f", False), ("010", False)],
)
def test_tracking_areas(folder: Path, tac: str, right: bool) -> None:
    change(folder / SERVICE, ("tac: 1", f"tac: {tac}"))
    assert places(folder) == ([] if right else ["networks.b.tac"])


@pytest.mark.parametrize(
    ("number", "right"), [(1, True), (1020, True), (1021, True), (9999, True), (0, False), (10000, False)]
)
def test_site_numbers(folder: Path, number: int, right: bool) -> None:
    change(folder / SERVICE, *WIDE)
    change(folder / SITE, ("number: 17", f"number: {number}"))
    (folder / SITE).rename(folder / f"sites/{number:04d}-umeda.yml" if right else folder / SITE)
    assert places(folder) == ([] if right else ["number"])


@pytest.mark.parametrize(("number", "right"), [(1018, True), (1019, False)])
def test_site_numbers_that_a_pool_holds(folder: Path, number: int, right: bool) -> None:
    change(folder / SITE, ("number: 17", f"number: {number}"))
    (folder / SITE).rename(folder / f"sites/{number:04d}-umeda.yml")
    assert places(folder) == ([] if right else ["number"])


@pytest.mark.parametrize(
    ("plmn", "sims", "right"),
    [
        ('"440100"', ("440100000000017", "440100000000023"), True),
        ('"00101"', ("001010000000017", "001010000000023"), True),
        ("00101", ("001010000000017", "001010000000023"), False),
        ("44010", ("440100000000017", "440100000000023"), False),
        ('"4401"', ("440100000000017", "440100000000023"), False),
    ],
)
def test_networks_of_mobile_carriers(folder: Path, plmn: str, sims: tuple[str, str], right: bool) -> None:
    change(folder / SERVICE, ('plmn: "44010"', f"plmn: {plmn}"))
    for name, old, new in zip((SITE, "sites/0023-namba.yml"), ("017", "023"), sims, strict=True):
        change(folder / name, (f"440100000000{old}", new))
    assert places(folder) == ([] if right else ["networks.b.plmn"])


@pytest.mark.parametrize(
    ("name", "right"),
    [(name, True) for name in ("no", "on", "y", "off", "a1", "x" * 16, "a_b_c")]
    + [(name, False) for name in ("true", "null", "True", "~", "1e5", "2026", "x" * 17, "a-b", "a__b", "a_")],
)
def test_names(folder: Path, name: str, right: bool) -> None:
    change(folder / SITE, ("name: umeda", f"name: {name}"))
    change(folder / SERVICE, ("overlaps: umeda", "overlaps: namba"))
    (folder / SITE).rename(folder / f"sites/0017-{name}.yml" if right else folder / SITE)
    assert places(folder) == ([] if right else ["name"])


@pytest.mark.parametrize("user", ["svc-ansible", "ops", "_apt", "Administrator", "first.last", "x" * 32])
def test_users_that_systems_have(folder: Path, user: str) -> None:
    change(folder / SERVICE, ("{kind: lab}", f"{{kind: ssh, user: {user}, sources: [192.168.200.0/24]}}"))
    assert places(folder) == []


@pytest.mark.parametrize("user", ["-l", "root;id", "a b", "ops@host", "x" * 33, '""', "1000"])
def test_users_that_no_system_has(folder: Path, user: str) -> None:
    change(folder / SERVICE, ("{kind: lab}", f"{{kind: ssh, user: {user}, sources: [192.168.200.0/24]}}"))
    assert places(folder) == ["management.user"]


@pytest.mark.parametrize(
    ("suffix", "right"),
    [
        (".mgmt.example", True),
        (f".{'m' * 63}", True),
        (f".{'m' * 64}", False),
        (".m" * 116, True),
        (".m" * 117, False),
        ("mgmt.example", False),
        (".mgmt..example", False),
        (".mgmt.example.", False),
        (".mg_mt", False),
    ],
)
def test_suffixes_of_host_names(folder: Path, suffix: str, right: bool) -> None:
    management = f"{{kind: ssh, user: ops, sources: [192.168.200.0/24], host_suffix: {suffix}}}"
    change(folder / SERVICE, ("{kind: lab}", management))
    assert places(folder) == ([] if right else ["management.host_suffix"])


@pytest.mark.parametrize(
    ("source", "right"),
    [
        ("192.168.200.0/24", True),
        ("192.168.200.7/32", True),
        ("172.16.0.0/16", True),
        ("10.16.64.0/18", True),
        ("203.0.113.7/32", True),
        ("172.16.0.0/15", False),
        ("10.16.63.255/32", False),
        ("10.15.0.0/28", False),
        ("10.200.0.0/24", False),
        ("10.0.0.0/16", True),
        ("169.254.1.0/24", False),
        ("0.0.0.0/32", False),
        ("240.0.0.0/5", False),
        ("192.168.200.1/24", False),
        ("192.168.200.0/255.255.255.0", False),
        ("192.168.200.0", False),
        ("fd00::/64", False),
        ("::/0", False),
    ],
)
def test_sources_of_ssh(folder: Path, source: str, right: bool) -> None:
    change(folder / SERVICE, ("{kind: lab}", f'{{kind: ssh, user: ops, sources: ["{source}"]}}'))
    assert places(folder) == ([] if right else ["management.sources[0]"])


@pytest.mark.parametrize("sources", ["192.168.1.0/24, 192.168.1.0/24", "192.168.1.0/24, 192.168.1.128/25"])
def test_sources_may_overlap_each_other(folder: Path, sources: str) -> None:
    change(folder / SERVICE, ("{kind: lab}", f"{{kind: ssh, user: ops, sources: [{sources}]}}"))
    assert places(folder) == []


@pytest.mark.parametrize(
    ("apn", "right"),
    [
        ("dr.beta.example", True),
        ("d", True),
        (f"{'d' * 60}.x", True),
        ("d" * 62, True),
        ("d" * 63, False),
        ("xrac.example", True),
        ("race.example", False),
        ("lac1", False),
        ("rnc0100.example", False),
        ("gprs", False),
        ("gprs.example", True),
        ("dr.gprs", False),
        ("dr_x.example", False),
        ("*", False),
    ],
)
def test_access_point_names(folder: Path, apn: str, right: bool) -> None:
    change(folder / SERVICE, ("apn: dr.beta.example", f'apn: "{apn}"'))
    assert places(folder) == ([] if right else ["networks.b.apn"])


@pytest.mark.parametrize(
    ("numbers", "wrong"),
    [
        ("[5]", []),
        ("[]", []),
        ("[0]", ["numbers[0]"]),
        ("[10000]", ["numbers[0]"]),
        ('["5"]', ["numbers[0]"]),
        ("[05]", ["numbers[0]"]),
        ("[null]", ["numbers[0]"]),
        ("5", ["numbers"]),
        ("[17]", ["number"]),
    ],
)
def test_retired_numbers(folder: Path, numbers: str, wrong: list[str]) -> None:
    (folder / "retired.yml").write_text(f"numbers: {numbers}\n")
    assert places(folder) == wrong


@pytest.mark.parametrize("text", ["ACME", "株式会社　北", "Kita # 2", "葛\U000e0100飾", "Ünïcode", "x" * 80])
def test_texts_that_people_read(folder: Path, text: str) -> None:
    change(folder / SITE, ("customer: Kita Building", f'customer: "{text}"'))
    assert places(folder) == []


@pytest.mark.parametrize("blanks", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
def test_a_byte_order_mark_and_windows_lines_are_read(folder: Path, mark: bytes, blanks: str) -> None:
    for path in (folder / SERVICE, folder / SITE):
        path.write_bytes(mark + path.read_text().replace("\n", blanks).encode())
    assert places(folder) == []
    change(folder / "sites/0023-namba.yml", ("primary: a", "primary: c"))
    assert places(folder) == ["primary"]


@pytest.mark.parametrize("encoding", ["utf-16", "shift_jis", "euc_jp"])
def test_another_encoding_is_named(folder: Path, encoding: str) -> None:
    text = (folder / SITE).read_text().replace("Kita Building", "大阪ビル")
    (folder / SITE).write_bytes(text.encode(encoding))
    line = check(folder).stderr.splitlines()[0].replace(f"{folder}/", "")
    assert line == f"{SITE}:0:0: the file cannot be read: it is not UTF-8 text; make it a readable text file"


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("sites/0017-umeda.yml~", "this is not a site file"),
        ("sites/0017-Umeda.yml", "this is not a site file"),
        ("sites/0017 umeda.yml", "this is not a site file"),
        ("sites/0017-umeda.yaml", "this is not a site file"),
        ("sites/17-umeda.yml", "this is not a site file"),
        ("service.yaml", "the file is never read"),
    ],
)
def test_files_that_are_never_read_are_named(folder: Path, name: str, what: str) -> None:
    (folder / name).write_text("")
    (line,) = (line for line in check(folder).stderr.splitlines() if what in line)
    assert line.startswith(f"{folder}/{name}:0:0: {what}; ")


def test_an_unreadable_folder_of_sites_is_one_problem(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.iterdir

    def refusing(self: Path) -> object:
        if self.name == "sites":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))
        return real(self)

    monkeypatch.setattr(Path, "iterdir", refusing)
    reason = os.strerror(errno.EACCES)
    assert check(folder).stderr.splitlines() == [
        f"{folder}/sites:0:0: the folder cannot be read: {reason}; make it a readable folder of site files",
        "1 problem",
    ]
