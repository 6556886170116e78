"""What is rendered holds together: every name that a text uses is defined in it, on every device."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from heiiki.cli.new_service import generate
from heiiki.errors import FolderError, RenderError
from heiiki.intent import load
from heiiki.plan import Plan, build
from heiiki.render import DeviceBuild, agent, compile_plan, manifest, write
from heiiki.render.templates import braces, identifier, quoted, render
from heiiki_agent.frr import masked

EXAMPLE = Path(__file__).parents[3] / "inventories" / "lab"


def planned(folder: Path, sites: int) -> Plan:
    (folder / "sites").mkdir()
    for name, text in generate("random", sites, 1).items():
        (folder / name).write_text(text, encoding="utf-8")
    return build(load(folder))


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> tuple[DeviceBuild, ...]:
    generated = planned(tmp_path_factory.mktemp("service"), 60)
    return (*compile_plan(build(load(EXAMPLE))), *compile_plan(generated))


def texts(builds: tuple[DeviceBuild, ...], path: str) -> list[str]:
    found = [file.content for build in builds for file in build.files if file.path == path]
    assert found
    return found


def test_frr_uses_nothing_that_it_does_not_define(builds: tuple[DeviceBuild, ...]) -> None:
    for text in texts(builds, "/etc/frr/frr.conf"):
        used = set(re.findall(r"^  neighbor \S+ route-map (\S+) (?:in|out)$", text, re.MULTILINE))
        used |= set(re.findall(r"^ip protocol bgp route-map (\S+)$", text, re.MULTILINE))
        assert used == set(re.findall(r"^route-map (\S+) permit 10$", text, re.MULTILINE))
        matched = set(re.findall(r"^ match ip address prefix-list (\S+)$", text, re.MULTILINE))
        assert matched <= set(re.findall(r"^ip prefix-list (\S+) seq", text, re.MULTILINE))
        profiles = set(re.findall(r"bfd profile (\S+)$", text, re.MULTILINE))
        assert profiles <= set(re.findall(r"^ profile (\S+)$", text, re.MULTILINE))


def test_every_session_to_another_as_is_filtered_both_ways(builds: tuple[DeviceBuild, ...]) -> None:
    for text in texts(builds, "/etc/frr/frr.conf"):
        for family in re.findall(r"address-family ipv4 unicast\n(.*?) exit-address-family", text, re.DOTALL):
            active = re.findall(r"neighbor (\S+) activate", family)
            assert re.findall(r"neighbor (\S+) route-map \S+ in", family) == active
            assert re.findall(r"neighbor (\S+) route-map \S+ out", family) == active


def test_frr_is_closed_and_clean(builds: tuple[DeviceBuild, ...]) -> None:
    for text in texts(builds, "/etc/frr/frr.conf"):
        assert text.endswith("\nend\n")
        assert [
            line for line in text.splitlines() if not line.strip() or line.endswith(" ") or "None" in line
        ] == []


def test_nftables_jumps_and_counts_in_what_it_defines(builds: tuple[DeviceBuild, ...]) -> None:
    for text in texts(builds, "/etc/nftables.conf"):
        assert text.count("{") == text.count("}")
        hooked = set(re.findall(r"^\tchain (\w+) {\n(?:\t\t#.*\n)*\t\ttype filter hook", text, re.MULTILINE))
        chains = set(re.findall(r"^\tchain (\w+) {", text, re.MULTILINE))
        assert set(re.findall(r"(?:jump|goto) (\w+)", text)) == chains - hooked
        assert set(re.findall(r"counter name (\w+)", text)) <= set(
            re.findall(r"^\tcounter (\w+) {}", text, re.MULTILINE)
        )
        assert {"prerouting", "input", "forward"} <= hooked
        for hook in ("input", "forward"):
            assert f"hook {hook} priority filter; policy drop;" in text


def test_json_files_are_json(builds: tuple[DeviceBuild, ...]) -> None:
    for item in builds:
        for file in item.files:
            if file.path.endswith(".json"):
                assert isinstance(json.loads(file.content), dict)


def test_secrets_are_named_never_written(builds: tuple[DeviceBuild, ...]) -> None:
    for item in builds:
        for file in item.files:
            named = "{{secret:" in file.content
            if file.path == "/etc/frr/frr.conf":
                # Shown, but for its keys; FRRouting's own account reads it.
                assert (file.secret, file.mode, file.owner) == (False, "0640", "frr")
                assert "{{secret:" not in masked(file.content)
                continue
            assert file.secret == named
            if file.secret:
                assert file.mode == "0600"


def test_every_file_belongs_to_a_service_of_the_device(builds: tuple[DeviceBuild, ...]) -> None:
    for item in builds:
        services = [service.name for service in item.services]
        assert len(services) == len(set(services))
        assert {file.service for file in item.files} - {""} <= set(services)
        paths = [file.path for file in item.files]
        assert len(paths) == len(set(paths))


def test_manifest_round_trips(builds: tuple[DeviceBuild, ...]) -> None:
    for item in builds:
        document = json.loads(manifest(item))
        assert document["device"] == item.device
        assert [file["path"] for file in document["files"]] == [file.path for file in item.files]


def test_a_template_that_asks_for_too_much_says_which() -> None:
    with pytest.raises(RenderError) as caught:
        render("frr/frr.conf.j2")
    assert str(caught.value).startswith("templates/frr/frr.conf.j2: ")
    assert str(caught.value).endswith("; the template and the plan's model do not agree")


def test_words_of_nftables() -> None:
    assert braces((1, 2)) == "{ 1, 2 }"
    assert quoted(("lan0", "lan0-v")) == '{ "lan0", "lan0-v" }'
    assert identifier("lan0-v") == "lan0_v"


def test_second_write_changes_nothing(tmp_path: Path, builds: tuple[DeviceBuild, ...]) -> None:
    assert write(builds[:4], tmp_path).changed == tuple(item.device for item in builds[:4])
    assert write(builds[:4], tmp_path).changed == ()


def own(build: DeviceBuild) -> str:
    """The path of a file whose text no other device has."""
    return next(file.path for file in build.files if file.path == "/etc/heiiki/links.json")


def test_a_file_changed_or_lost_by_hand_is_written_again(
    tmp_path: Path, builds: tuple[DeviceBuild, ...]
) -> None:
    write(builds[:2], tmp_path)
    one, other = (Path(f"{tmp_path}/{item.device}{own(item)}") for item in builds[:2])
    written = one.read_text(encoding="utf-8")
    one.write_text("by hand")
    other.unlink()
    assert write(builds[:2], tmp_path).changed == (builds[0].device, builds[1].device)
    assert one.read_text(encoding="utf-8") == written
    assert other.is_file()


def test_a_device_that_is_gone_loses_its_folder(tmp_path: Path, builds: tuple[DeviceBuild, ...]) -> None:
    write(builds[:2], tmp_path)
    assert write(builds[:1], tmp_path).changed == (builds[1].device,)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".heiiki", builds[0].device]


def test_only_the_device_that_differs_is_written(tmp_path: Path, builds: tuple[DeviceBuild, ...]) -> None:
    write(builds[:2], tmp_path)
    file = replace(builds[1].files[0], content="new")
    changed = replace(builds[1], files=(file, *builds[1].files[1:]))
    assert write((builds[0], changed), tmp_path).changed == (changed.device,)


def test_a_text_that_several_devices_have_stands_once(
    tmp_path: Path, builds: tuple[DeviceBuild, ...]
) -> None:
    several = {item.device: item for item in builds}
    write(several.values(), tmp_path)
    for name, item in several.items():
        entries = json.loads((tmp_path / name / "manifest.json").read_text())["files"]
        for file, entry in zip(item.files, entries, strict=True):
            places = [tmp_path / "shared" / entry["sha256"], Path(f"{tmp_path}/{name}{file.path}")]
            found = [place for place in places if place.exists()]
            assert [place.read_text(encoding="utf-8") for place in found] == [file.content]
    texts = [path.read_text(encoding="utf-8") for path in (tmp_path / "shared").iterdir()]
    assert len(set(texts)) == len(texts)
    assert texts.count(agent.file().content) == 1


def test_a_secret_is_in_no_file(tmp_path: Path, builds: tuple[DeviceBuild, ...]) -> None:
    write(builds, tmp_path)
    # Of a device that both services have alike, a text stands once.
    hss = next(build for build in builds if build.device == "b-hss")
    file = next(file for file in hss.files if file.secret)
    assert "{{secret:" in Path(f"{tmp_path}/{hss.device}{file.path}").read_text(encoding="utf-8")


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path, builds: tuple[DeviceBuild, ...]) -> None:
    theirs = tmp_path / builds[0].device / "thesis.txt"
    theirs.parent.mkdir()
    theirs.write_text("years of work")
    with pytest.raises(FolderError, match=f"holds {builds[0].device}, which heiiki did not write"):
        write(builds[:1], tmp_path)
    assert theirs.read_text() == "years of work"


@pytest.mark.parametrize("out", [".", "sites", "build", "deep/er", "link"])
def test_a_services_folder_takes_no_builds(tmp_path: Path, builds: tuple[DeviceBuild, ...], out: str) -> None:
    service, elsewhere = tmp_path / "svc", tmp_path / "elsewhere"
    (service / "sites").mkdir(parents=True)
    elsewhere.mkdir()
    (service / "service.yml").write_text("service: svc\n")
    (service / "link").symlink_to(elsewhere)
    with pytest.raises(FolderError, match=f"is in the folder of the service in {service}"):
        write(builds[:1], service / out)
    assert sorted(path.name for path in tmp_path.rglob("*")) == [
        "elsewhere",
        "link",
        "service.yml",
        "sites",
        "svc",
    ]


def test_a_link_into_a_services_folder_takes_no_builds(
    tmp_path: Path, builds: tuple[DeviceBuild, ...]
) -> None:
    (tmp_path / "svc").mkdir()
    (tmp_path / "svc/service.yml").write_text("service: svc\n")
    (tmp_path / "out").symlink_to("svc")
    with pytest.raises(FolderError, match="is in the folder of the service"):
        write(builds[:1], tmp_path / "out")
