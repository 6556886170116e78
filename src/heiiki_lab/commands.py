"""`heiiki lab up | down | clean | status | exec | fail | devices | heal`."""

import asyncio
import os
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click

from heiiki.cli.group import examples
from heiiki.cli.service import Folder, opened
from heiiki.errors import LabError
from heiiki.plan import Plan
from heiiki.plan.model import Program
from heiiki.state import of_service as state_of
from heiiki.state import root as state_root
from heiiki_lab import from_plan, kernel, root, state, wiring
from heiiki_lab.devices import of_service
from heiiki_lab.spec import Endpoint

_LINK_FAILURES, _NODE_FAILURES, _PROGRAM_FAILURES = ("silent", "down"), ("kill", "poweroff"), ("hung", "dead")


@click.command(
    help=(
        "Start the lab of the service in FOLDER; a lab of the same service that is up stays.\n\n"
        "The first run builds the lab's kernel and root: some 8 minutes on two cores, kept for "
        "later."
    ),
)
@click.argument("folder", type=Folder(), default="inventories/lab")
def up(folder: Path) -> None:
    """Start the lab of the service in FOLDER; a lab of the same service that is up stays."""
    plan = opened(folder).plan
    if _running(plan, folder):
        click.echo(f"the lab of {plan.service} is up already")
        return
    # No lab is up: what an earlier one of this name has left, from whatever folder, is worth nothing.
    kept = state_of(plan.service, folder, take_over=state.is_of_a_lab(plan.service))
    from_plan.bring_up(plan, kept.secrets, *_built(_cache()), _say)
    state.mark(kept.folder)
    (state.lab_dir() / state.SERVICE_FOLDER).write_text(str(folder.resolve()), encoding="utf-8")
    click.echo(
        f"the lab is up: {len(plan.devices)} nodes, {len(plan.links)} links; "
        f"next: ansible-playbook -i {folder} playbooks/site.yml"
    )


@click.command(
    help="Stop the lab; nothing of it stays but the cached kernel and root, and the SIMs' keys.",
)
def down() -> None:
    """Stop the lab; nothing of it stays but the cached kernel and root, and the SIMs' keys."""
    was_up = wiring.down(state.lab_dir(), _say)
    click.echo("the lab is down" if was_up else "no lab was up")


@click.command(
    help=(
        "Stop the lab of a service in CHECKOUT, and remove what labs of its services have left.\n\n"
        "That is the running lab's files, and the SIM keys, unseal keys and log-ins of services "
        "that were a lab. The state of a service without a lab stays, and so does what is not "
        "Heiiki's."
    ),
)
@click.argument("checkout", type=Folder(), default=".")
def clean(checkout: Path) -> None:
    """Stop the lab of a service in CHECKOUT, and remove what labs of its services have left."""
    if wiring.status(state.lab_dir()).running and _folder_of_lab().is_relative_to(checkout.resolve()):
        wiring.down(state.lab_dir(), _say)
    for place in state.forget(checkout):
        click.echo(f"{place}: removed")


@click.command(help="Say what is up, and which faults are in force. Exit code 1 when no lab is up.")
def status() -> None:
    """Say what is up, and which faults are in force. Exit code 1 when no lab is up."""
    seen = wiring.status(state.lab_dir())
    if not seen.running:
        raise click.ClickException("no lab is up; run `heiiki lab up`")
    click.echo(
        f"{seen.name}: up {seen.uptime / 60:.0f} min, {len(seen.nodes)} nodes, {len(seen.links)} links, "
        f"{seen.memory_used_mib} of {seen.memory_total_mib} MiB used"
    )
    faults = {node.name: node.faults for node in seen.nodes} | {link.name: link.faults for link in seen.links}
    for name, applied in faults.items():
        if applied:
            click.echo(f"  {name}: {', '.join(applied)}")


@click.command(
    "exec",
    context_settings={"ignore_unknown_options": True},
    help="Run a command on NODE; its exit code is this command's.",
)
@click.argument("node")
@click.argument("argv", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option(
    "-i", "--interactive", is_flag=True, help="Pass standard input on, as for `sshd -i` or tcpdump."
)
def exec_(node: str, argv: tuple[str, ...], interactive: bool) -> None:
    """Run a command on NODE; its exit code is this command's."""
    running = wiring.connect(state.lab_dir())
    with running.node(node) as client:
        if interactive:
            stream = client.stream(argv)
            sys.exit(stream.pump(sys.stdin.fileno(), sys.stdout.fileno(), sys.stderr.fileno()))
        done = client.exec(argv, timeout=600.0)
    sys.stdout.buffer.write(done.stdout)
    sys.stderr.buffer.write(done.stderr)
    sys.exit(done.rc)


@click.command(
    help=(
        "Fail TARGET, a link or a node of the lab, or one program of a node.\n\n"
        "silent: every packet is lost; down: the link loses carrier; kill: its daemons die at once; "
        "poweroff: the node is gone; hung: a program is stopped; dead: a program is killed for good."
    )
)
@click.argument("target")
@click.option(
    "--how", type=click.Choice((*_LINK_FAILURES, *_NODE_FAILURES, *_PROGRAM_FAILURES)), required=True
)
@click.option("--one-way", metavar="NODE", help="Lose only what this end of the link sends (silent).")
@click.option(
    "--program", type=click.Choice([str(one) for one in Program]), help="The program that is hung or dead."
)
def fail(target: str, how: str, one_way: str | None, program: str | None) -> None:
    """Fail TARGET, a link or a node of the lab, or one program of a node."""
    running = wiring.connect(state.lab_dir())
    injector = running.injector()
    links = {link.name: link for link in running.spec.links}
    _refuse_mismatch(target, how, one_way, program, is_link=target in links)
    if target in links:
        injector.fail_link(target, how, _sending_end(links[target].ends, one_way))  # type: ignore[arg-type]
    elif program is not None:
        injector.fail_program(target, program, how)  # type: ignore[arg-type]
    else:
        injector.fail_node(target, how)  # type: ignore[arg-type]
    click.echo(f"{target}: {program + ' ' if program else ''}{how}; mend it with `heiiki lab heal`")


def _refuse_mismatch(
    target: str, how: str, one_way: str | None, program: str | None, *, is_link: bool
) -> None:
    """Refuse what does not go together, and say what does."""
    word, modes = ("link", _LINK_FAILURES) if is_link else ("node", _NODE_FAILURES)
    if program is not None and not is_link:
        word, modes = "program", _PROGRAM_FAILURES
    if how in modes and not (program and is_link) and not (one_way and not is_link):
        return
    name = f"{program} of {target}" if word == "program" else target
    raise click.UsageError(
        f"{name} is a {word}: it fails by {' or '.join(modes)}; --one-way is for links, --program for nodes"
    )


def _sending_end(ends: tuple[Endpoint, Endpoint], one_way: str | None) -> Endpoint | None:
    if one_way is None:
        return None
    for end in ends:
        if end.node == one_way:
            return end
    raise click.UsageError(f"--one-way: the link ends at {ends[0].node} and {ends[1].node}, not at {one_way}")


@click.command(
    help=(
        "Serve a simulated command line, on loopback, for each router of a vendor's platform in FOLDER, as "
        "it comes from the factory, until it is interrupted.\n\n"
        "They take lines and forward no packet. `heiiki push FOLDER --access FILE` reaches them."
    ),
    epilog=examples("heiiki lab devices inventories/osaka"),
)
@click.argument("folder", type=Folder())
@click.option(
    "--state",
    "place",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for their log-ins and for what a push keeps of them.  [default: in the state folder]",
)
def devices(folder: Path, place: Path | None) -> None:
    """Serve a simulated command line for each router of a vendor's platform in FOLDER."""
    plan = opened(folder).plan
    kept = place or state_root() / "lab-devices" / plan.service

    def ready(ports: Mapping[str, int]) -> None:
        for name, port in ports.items():
            click.echo(f"{name} ({plan.device(name).platform}): 127.0.0.1 port {port}")
        click.echo(f"next: heiiki push {folder} --access {kept / of_service.ACCESS} --check --diff")

    asyncio.run(of_service.serve(plan, kept, ready))


@click.command(help="Mend TARGET, or everything that is failed.")
@click.argument("target", required=False)
def heal(target: str | None) -> None:
    """Mend TARGET, or everything that is failed."""
    running = wiring.connect(state.lab_dir())
    plan = _plan_of_lab()
    injector = running.injector(lambda node: from_plan.restart(plan, running, node))
    if target is None:
        injector.heal_all()
    else:
        injector.heal(target)
    click.echo("healed")


def _running(plan: Plan, folder: Path) -> bool:
    seen = wiring.status(state.lab_dir())
    if not seen.running:
        return False
    if seen.name != plan.service or _plan_of_lab().digest != plan.digest:
        raise LabError(
            f"a lab of another service, or of an older {folder}, is up; run `heiiki lab down` first"
        )
    return True


def _plan_of_lab() -> Plan:
    return opened(_folder_of_lab()).plan


def _folder_of_lab() -> Path:
    note = state.lab_dir() / state.SERVICE_FOLDER
    if not note.is_file():
        raise LabError("the lab's service is not known; run `heiiki lab down` and `heiiki lab up DIR`")
    return Path(note.read_text(encoding="utf-8"))


def _built(cache: Path) -> tuple[Path, Path]:
    """Return kernel and root, built side by side where the cache has none; a kernel proves itself once."""
    with ThreadPoolExecutor(2) as pool:
        builds = (pool.submit(kernel.ensure, cache, _say), pool.submit(root.ensure, cache, _say))
        linux, debian = (build.result() for build in builds)
    proven = linux.with_name("self-test")
    if not proven.exists():
        failed = [
            f"{check.name}: {check.detail}" for check in kernel.self_test(linux, debian) if not check.ok
        ]
        if failed:
            raise LabError(
                f"{linux}: the kernel failed its self-test: {'; '.join(failed)}; remove its folder"
            )
        proven.touch()
    return linux, debian


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "heiiki"


def _say(line: str) -> None:
    click.echo(line, err=True)
