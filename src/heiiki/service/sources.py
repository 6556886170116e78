"""The use case that takes sites over from a table or from NetBox."""

from dataclasses import dataclass
from pathlib import Path

from heiiki import sources
from heiiki.plan import build
from heiiki.requirements import Verdict
from heiiki.service.paper import check
from heiiki.sources import Inventory, Proposal


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did, or in check mode would do.

    Attributes:
        proposal: the changes of site files.
        verdicts: the design verdicts of the service as it is then.
    """

    proposal: Proposal
    verdicts: tuple[Verdict, ...]


def import_sites(folder: Path, inventory: Inventory, *, check_mode: bool = False) -> Imported:
    """Bring the site files of the service in `folder` to what `inventory` says, all or none.

    Args:
        folder: holds its ``service.yml``.
        inventory: the sites.
        check_mode: nothing is written.

    Raises:
        IntentError: the source or the files as they would be have mistakes; all of them. Nothing was written.
        SourceError: the files cannot be written.
    """
    proposal = sources.propose(folder, inventory)
    verdicts = check(build(proposal.intent))
    if not check_mode:
        sources.write(folder, proposal.changes)
    return Imported(proposal, verdicts)


def finish_import(folder: Path) -> tuple[str, ...]:
    """Finish an import that was cut off while it wrote; return the names of the files.

    Raises:
        SourceError: the files cannot be written.
    """
    return sources.finish(folder)
