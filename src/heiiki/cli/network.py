"""`heiiki verify | renew | rotate | revoke | reinstate | snapshot | restore`: what reaches devices."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from heiiki import service as use_cases
from heiiki.cli.group import FAILED, examples
from heiiki.cli.service import Folder, opened
from heiiki.cli.terminal import say
from heiiki.pki.rotation import Kind
from heiiki.report import findings
from heiiki.revocation import RevocationStep
from heiiki.service import Renewed, Service

Command = TypeVar("Command", bound=Callable[..., Any])


def _artifacts(command: Command) -> Command:
    return click.option(
        "--artifacts",
        type=click.Path(path_type=Path),
        help="Folder for the report and the evidence.  [default: artifacts/SERVICE]",
    )(command)


def _check(command: Command) -> Command:
    return click.option("--check", is_flag=True, help="Change nothing; say what would be done.")(command)


def _place(artifacts: Path | None, service: Service) -> Path:
    return artifacts or Path("artifacts") / service.plan.service


@click.command(
    help=(
        "Measure the running service in FOLDER, and write the report.\n\n"
        "Exit code 0: all verdicts pass; 1: one is fail or unknown; 2: the files have mistakes. "
        "Faults are injected in a lab only."
    ),
    epilog=examples(
        "heiiki verify inventories/osaka",
        "heiiki verify inventories/lab --faults sample",
        "heiiki verify inventories/lab --faults a-p1/kill,umeda-ce-a/poweroff",
    ),
)
@click.argument("folder", type=Folder())
@click.option(
    "--faults",
    default="none",
    show_default=True,
    help="all, none, sample, or names with commas; load fills lines, control orders, scan tries every port.",
)
@_artifacts
@click.pass_context
def verify(ctx: click.Context, folder: Path, faults: str, artifacts: Path | None) -> None:
    """Measure the running service in FOLDER, and write the report."""
    service = opened(folder)
    chosen = {"all": True, "none": False}.get(faults, tuple(name.strip() for name in faults.split(",")))
    outcome = use_cases.verify(service, _place(artifacts, service), chosen, _say)
    say(outcome.matrix)
    say(f"the report: {outcome.paths.page}")
    if outcome.bad:
        say(findings(outcome.bad))
        ctx.exit(FAILED)


@click.command(
    help=("Give devices of the service in FOLDER a new certificate where one is due."),
    epilog=examples(
        "heiiki renew inventories/osaka --check",
        "heiiki renew inventories/osaka --device umeda-gw-b --force",
        "heiiki renew inventories/osaka --device umeda-gw-b --compromised",
    ),
)
@click.argument("folder", type=Folder())
@click.option("--device", "devices", multiple=True, help="This device alone; may be given several times.")
@click.option("--force", is_flag=True, help="Renew certificates that are not due, too; the old stay good.")
@click.option(
    "--compromised",
    is_flag=True,
    help="Their keys may be in other hands: renew them, and revoke every certificate before.",
)
@_check
@click.pass_context
def renew(
    ctx: click.Context, folder: Path, devices: tuple[str, ...], force: bool, compromised: bool, check: bool
) -> None:
    """Give devices of the service in FOLDER a new certificate where one is due."""
    service = opened(folder)
    asked = {"force": force, "compromised": compromised, "check": check}
    found = use_cases.renew(service, devices or None, **asked, report=_tell)
    for warning in dict.fromkeys(text for one in found for text in one.warnings):
        _say(f"warning: {warning}")
    bad = sum(bool(one.problem) for one in found)
    changed = sum(one.changed for one in found)
    say(f"{len(found)} devices, {changed} {'would change' if check else 'changed'}, {bad} failed")
    if bad:
        ctx.exit(FAILED)


def _tell(one: Renewed) -> None:
    if one.problem:
        _say(f"{one.device}: {one.problem}")
    elif one.changed or one.reasons:
        _say(f"{one.device}: {'; '.join(one.reasons) or 'brought up to date'}")


@click.command(
    help=(
        "Replace a CA of the service in FOLDER while it goes on.\n\n"
        "A run that was cut off is run again, and goes on from there. Each step says where the "
        "rotation is."
    ),
    epilog=examples(
        "heiiki rotate inventories/osaka --authority issuing --check",
        "heiiki rotate inventories/osaka --authority root",
    ),
)
@click.argument("folder", type=Folder())
@click.option("--authority", type=click.Choice([str(kind) for kind in Kind]), required=True, help="Which CA.")
@click.option("--again", is_flag=True, help="Begin another rotation although one has just ended.")
@_artifacts
@_check
def rotate(folder: Path, authority: str, again: bool, artifacts: Path | None, check: bool) -> None:
    """Replace a CA of the service in FOLDER while it goes on."""
    service, kind = opened(folder), Kind(authority)
    if check:
        done = use_cases.foreseen_rotation(service, kind, again=again)
        say(f"{done.phase}. Next: {done.after}")
        return
    done = use_cases.rotate(service, kind, _place(artifacts, service), again=again, report=_say)
    say(f"{done.subject}: {done.phase}")


@click.command(
    help=(
        "Revoke DEVICE of the service in FOLDER: within seconds it has no access any more.\n\n"
        "Exit code 1: a step is not complete; the same command again finishes it. Commit "
        "revoked.yml afterwards."
    ),
    epilog=examples(
        "heiiki revoke inventories/osaka umeda-gw-b --reason lost --check",
        "heiiki revoke inventories/osaka umeda-gw-b --reason 'from the roof'",
    ),
)
@click.argument("folder", type=Folder())
@click.argument("device")
@click.option("--reason", required=True, help="Why, for people; it stands in revoked.yml.")
@_artifacts
@_check
@click.pass_context
def revoke(
    ctx: click.Context, folder: Path, device: str, reason: str, artifacts: Path | None, check: bool
) -> None:
    """Revoke DEVICE of the service in FOLDER: within seconds it has no access any more."""
    service = opened(folder)
    if check:
        found, cut, steps = use_cases.what_would_be_revoked(service, device)
        say(f"{device} {'is revoked already' if found.revoked else 'would be revoked'}: {cut}")
        say("".join(f"  {step}\n" for step in steps))
        return
    done = use_cases.revoke(service, device, reason, _place(artifacts, service), _step)
    say(f"{done.cut}; {done.document['seconds']} s")
    say("".join(f"  {line}\n" for line in done.table))
    if done.incomplete:
        say(f"{len(done.incomplete)} steps are not complete: run the same command again", err=True)
        ctx.exit(FAILED)


def _step(step: RevocationStep) -> None:
    _say(f"{step.name}: {step.problem or step.outcome or ', '.join(step.changed) or 'nothing left to do'}")


@click.command(
    help=(
        "Take the mark of DEVICE in revoked.yml away, so that its replacement may enrol.\n\n"
        "What was revoked stays revoked. Provision the replacement afterwards: playbook enrol.yml."
    ),
    epilog=examples(
        "heiiki reinstate inventories/osaka umeda-gw-b --same-sim",
    ),
)
@click.argument("folder", type=Folder())
@click.argument("device")
@click.option(
    "--same-sim", is_flag=True, help="The SIM of before has service again: you hold that very card."
)
@_artifacts
@_check
def reinstate(folder: Path, device: str, same_sim: bool, artifacts: Path | None, check: bool) -> None:
    """Take the mark of DEVICE in revoked.yml away, so that its replacement may enrol."""
    service = opened(folder)
    place = _place(artifacts, service)
    changed = use_cases.reinstate(service, device, place, same_sim=same_sim, check=check)
    word = "would be" if check else "is"
    say(f"{device} {word} reinstated; next: enrol.yml" if changed else f"{device} is not revoked")


@click.command(
    help=(
        "Take a snapshot of the Vault server of the service in FOLDER, and print its path.\n\n"
        "The file is ciphertext, for its user alone; the unseal keys are not in it. Keep them elsewhere."
    ),
    epilog=examples(
        "heiiki snapshot inventories/osaka", "heiiki snapshot inventories/osaka --to /backup/osaka"
    ),
)
@click.argument("folder", type=Folder())
@click.option(
    "--to",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for snapshots, outside of checkouts and reports.  [default: in the service's state]",
)
@_artifacts
def snapshot(folder: Path, to: Path | None, artifacts: Path | None) -> None:
    """Take a snapshot of the Vault server of the service in FOLDER, and print its path."""
    service = opened(folder)
    say(str(use_cases.snapshot(service, _place(artifacts, service), to)))


@click.command(
    help=(
        "Put SNAPSHOT back into the Vault server of the service in FOLDER, and prove that what was "
        "revoked since is still refused.\n\n"
        "It takes the unseal keys, or an operator's token in VAULT_TOKEN. Exit code 1: a step is not "
        "complete; the same command again finishes it. Run site.yml and verify.yml afterwards."
    ),
    epilog=examples(
        "heiiki restore inventories/osaka osaka-20261129T020000Z.snap --check",
        "heiiki restore inventories/osaka osaka-20261129T020000Z.snap",
    ),
)
@click.argument("folder", type=Folder())
@click.argument("snapshot", type=click.Path(path_type=Path))
@_check
@click.pass_context
def restore(ctx: click.Context, folder: Path, snapshot: Path, check: bool) -> None:
    """Put SNAPSHOT back, and prove that what was revoked since is still refused."""
    service = opened(folder)
    if check:
        say(use_cases.what_would_be_restored(service, snapshot))
        return
    done = use_cases.restore(service, snapshot, _step)
    for warning in done.warnings:
        _say(f"warning: {warning}")
    if done.incomplete:
        say(f"{len(done.incomplete)} steps are not complete: run the same command again", err=True)
        ctx.exit(FAILED)
    say(f"{snapshot} is restored, and what was revoked is refused; next: site.yml, verify.yml")


def _say(line: str) -> None:
    """Say a line of progress."""
    say(line, err=True)
