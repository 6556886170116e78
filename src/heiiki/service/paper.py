"""The use cases that touch no device: check, compile."""

from pathlib import Path

from heiiki.design import design
from heiiki.errors import FolderError
from heiiki.output import OwnedFolder
from heiiki.plan.model import Plan
from heiiki.render import Written, compile_plan, facts, write
from heiiki.requirements import Verdict
from heiiki.service.model import Service


def check(plan: Plan) -> tuple[Verdict, ...]:
    """Return the design verdicts of a service: what can be examined on paper."""
    return tuple(design(plan, tuple(compile_plan(plan))))


def compile_service(service: Service, out: Path) -> Written:
    """Write what each managed device is sent below `out`; returns what changed there.

    Args:
        service: the service.
        out: an owned folder: see `heiiki.output`.

    Raises:
        RenderError: a device cannot be rendered.
        FolderError: `out` holds the builds of another folder's service, or what no earlier run wrote, or
            cannot be written.
    """
    mine = str(service.folder.resolve())
    about = OwnedFolder(out).about() if out.is_dir() else None
    other = (about or {}).get("service_dir", mine)
    if other != mine and (Path(other) / "service.yml").is_file():
        raise FolderError(
            f"{out}: holds the builds of the service in {other}, and this one is in {mine}: give one of them "
            "another name (service.yml), or name another folder (--out or heiiki_build)"
        )
    return write(compile_plan(service.plan), out, {**facts(service.plan), "service_dir": mine})
