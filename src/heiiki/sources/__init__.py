"""Where sites come from when nobody types them: a table or NetBox, as changes of the site files."""

from heiiki.sources.csv_file import read_csv
from heiiki.sources.model import Inventory
from heiiki.sources.proposal import Change, Proposal, propose
from heiiki.sources.writing import finish, write

__all__ = ["Change", "Inventory", "Proposal", "finish", "propose", "read_csv", "write"]
