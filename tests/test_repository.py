"""Rules that hold for the repository as a whole, and that no other tool checks."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import ansible_collections.heiiki.network
import pytest
import yaml

import heiiki

ROOT = Path(__file__).parent.parent
LARGEST_FILE = 512 * 1024
MOST_LINES = 400

# Square brackets keep a pattern from matching its own line.
FORBIDDEN = {
    "a path of one machine": re.compile(r"/wor[k]/(main|shared)|/opt/pyp[i]|/hom[e]/[a-z]+/|\.pyen[v]/"),
    "a package registry's host": re.compile(
        r"pypi[.]org|pythonhosted[.]org|deb[.]debian[.]org|snapshot[.]debian[.]org|archive[.]ubuntu[.]com"
        r"|security[.]debian[.]org|registry[.]npmjs[.]org|galaxy[.]ansible[.]com"
    ),
    "a private key": re.compile(r"-----BEGI[N] ([A-Z0-9]+ )*PRIVATE KEY-----"),
    "a password or token": re.compile(
        r"""(?i)\b(password|passwd|secret|token|api_?key)["']?\s*[:=]\s*["'][^"'{}$<\s]{8,}["']"""
    ),
    "a merge conflict": re.compile(r"^(<{7}|>{7}) ", re.MULTILINE),
    "an open end": re.compile(r"\b(TOD[O]|FIXM[E]|XX[X])\b"),
}
_WORDS = (
    r"(?:volleys?|shots?|doors?|strangers?|witness(?:es)?|intruders?|wardens?|sleepers?|manners?|glances?"
    r"|consignments?|anew|whoever|for ever|nobody)"
)
FORMER_WORDS = re.compile(rf"(?<![\w`\"'-]){_WORDS}\b(?!:)|(?<![\w-]){_WORDS}(?![\w`\"':])", re.IGNORECASE)
"""Words of our own for what the field has terms for, or that read as a translation. Between quotation marks
they are keys that a user may have written."""
READ = ("src", "plugins", "roles", "playbooks", "templates", "docs", "README.md")
LEFTOVERS = re.compile(
    r"(\.orig|\.rej|\.bak|\.swp|\.tmp|\.retry|\.log|~)$|(^|/)(\.DS_Store|core|nohup\.out)$"
)

ROLES = sorted(path.parent.parent for path in ROOT.glob("roles/*/tasks/main.yml"))
NODE_PROGRAMS = sorted(ROOT.glob("src/heiiki_agent/**/*.py"))
SERVICE_PROGRAMS = {
    "est": {"aiohttp", "cryptography"},
    "https.py": {"aiohttp"},
    "mms": {"open61850"},
    "openadr": {"aiohttp", "cryptography", "lxml", "signxml", "slixmpp"},
    "operator_socket.py": {"aiohttp"},
}
"""What service programs may need: packages of Debian main (python3-aiohttp and so on), or what they bring."""


def tracked() -> list[Path]:
    """Give every file that git tracks, or would track, and that exists."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    return [ROOT / name for name in sorted(set(listing.split("\0")) - {""}) if (ROOT / name).exists()]


def load_yaml(path: Path) -> Any:
    return yaml.load(path.read_text(), Loader=yaml.CSafeLoader)


def text_of(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def version(text: str) -> list[int]:
    return [int(number) for number in text.split(".")]


def test_one_version_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    collection = load_yaml(ROOT / "galaxy.yml")["version"]
    environment = (ROOT / "requirements.txt").read_text().strip()
    assert [heiiki.__version__, collection, environment] == [project, project, f"heiiki=={project}"]
    newest = max(load_yaml(ROOT / "changelogs" / "changelog.yaml")["releases"], key=version)
    assert version(newest) <= version(project)


def test_no_plugin_is_of_a_later_version() -> None:
    text = {path: path.read_text() for path in sorted(ROOT.glob("plugins/*/*.py"))}
    added = {
        path.name: found[1]
        for path, source in text.items()
        if (found := re.search(r"^version_added: (\S+)$", source, re.MULTILINE))
    }
    assert len(added) == sum("\nDOCUMENTATION = " in source for source in text.values())
    assert [name for name, one in added.items() if version(one) > version(heiiki.__version__)] == []


def test_the_checkout_is_the_collection() -> None:
    (place,) = ansible_collections.heiiki.network.__path__
    assert Path(place).resolve() == ROOT


def test_the_checkout_holds_no_symbolic_link() -> None:
    assert [path for path in tracked() if path.is_symlink()] == []


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_holds(what: str) -> None:
    pattern = FORBIDDEN[what]
    found = [
        f"{path.relative_to(ROOT)}:{text.count(chr(10), 0, match.start()) + 1}: {match.group()}"
        for path in tracked()
        if (text := text_of(path)) is not None
        for match in pattern.finditer(text)
    ]
    assert found == []


def test_the_forbidden_patterns_find_what_they_forbid() -> None:
    samples = {
        "a path of one machine": "/" + "work/main/src",
        "a package registry's host": "https://pypi" + ".org/simple",
        "a private key": "-----BEGIN" + " EC PRIVATE KEY-----",
        "a password or token": "password: " + '"hunter2hunter2"',
        "a merge conflict": "<" * 7 + " HEAD",
        "an open end": "# TO" + "DO later",
    }
    assert [what for what, sample in samples.items() if not FORBIDDEN[what].search(sample)] == []
    assert samples.keys() == FORBIDDEN.keys()


def test_the_fields_words_are_used() -> None:
    read = (path for path in tracked() if path.relative_to(ROOT).parts[0] in READ)
    lines = (
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in read
        for number, line in enumerate((text_of(path) or "").splitlines(), start=1)
        if FORMER_WORDS.search(line.replace("user nobody", ""))
    )
    assert "\n".join(lines) == ""


def test_no_leftovers() -> None:
    names = [path.relative_to(ROOT).as_posix() for path in tracked()]
    assert [name for name in names if LEFTOVERS.search(name)] == []


def test_no_large_files() -> None:
    assert [path for path in tracked() if path.stat().st_size > LARGEST_FILE] == []


def test_no_program_is_longer_than_a_person_reads_in_one_go() -> None:
    programs = [*ROOT.glob("src/**/*.py"), *ROOT.glob("plugins/**/*.py")]
    lines = {path.relative_to(ROOT).as_posix(): path.read_text().count("\n") for path in programs}
    assert len(lines) > 100
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}


def test_roles_are_found() -> None:
    assert [role.name for role in ROLES] == sorted(path.name for path in ROOT.glob("roles/*"))


@pytest.mark.parametrize(
    "role", [role for role in ROLES if (role / "README.md").exists()], ids=lambda role: role.name
)
def test_readme_names_every_variable_of_the_role(role: Path) -> None:
    specs = load_yaml(role / "meta" / "argument_specs.yml")["argument_specs"]
    options = {name for spec in specs.values() for name in spec.get("options", {})}
    rows = re.findall(r"^\| *`(\w+)` *\|", (role / "README.md").read_text(), re.MULTILINE)
    assert sorted(rows) == sorted(options)


@pytest.mark.parametrize("program", NODE_PROGRAMS, ids=lambda path: path.name)
def test_programs_on_nodes_need_the_standard_library_and_named_packages_only(program: Path) -> None:
    imported = set()
    for node in ast.walk(ast.parse(program.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            imported.add(str(node.module).split(".")[0])
    folder = program.relative_to(ROOT / "src/heiiki_agent").parts[0]
    packages = SERVICE_PROGRAMS.get(folder, {"cryptography"})
    assert imported - sys.stdlib_module_names <= {"heiiki_agent"} | packages


def test_the_wheel_carries_the_templates(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    listing = subprocess.run(
        [sys.executable, "-m", "zipfile", "--list", str(wheel)], check=True, capture_output=True, text=True
    ).stdout
    packed = set(re.findall(r"^heiiki/templates/(\S+)", listing, re.MULTILINE))
    written = {path for path in tracked() if path.is_relative_to(ROOT / "templates")}
    assert packed == {path.relative_to(ROOT / "templates").as_posix() for path in written}
    assert packed
    # What changes a device has one source, whether Ansible or the command sends it.
    sent = set(re.findall(r"^heiiki/module_utils/(\S+\.py)", listing, re.MULTILINE))
    assert sent == {path.name for path in (ROOT / "plugins/module_utils").glob("*.py")}


def test_the_lock_file_pins_every_line_by_hash() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    requirements = [line for line in lock.splitlines() if re.match(r"[a-z0-9]", line)]
    assert requirements
    assert [line for line in requirements if not re.match(r"[a-z0-9.-]+==\S+.* \\$", line)] == []


def test_run_dependencies_are_documented() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [name for extra in project["optional-dependencies"].values() for name in extra]
    names = {re.split(r"[<>=]", requirement)[0] for requirement in (*project["dependencies"], *extras)}
    documented = set(
        re.findall(r"^\| `([a-z0-9-]+)`", (ROOT / "docs" / "dependencies.md").read_text(), re.MULTILINE)
    )
    assert names <= documented
