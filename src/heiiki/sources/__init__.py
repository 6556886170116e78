"""Sites that are recorded elsewhere, in a table or NetBox, as changes of the site files."""

from heiiki.sources.csv_file import read_csv
from heiiki.sources.model import Inventory
from heiiki.sources.netbox import read_netbox
from heiiki.sources.page import import_page
from heiiki.sources.proposal import Change, Proposal, propose
from heiiki.sources.writing import finish, write

__all__ = [
    "Change",
    "Inventory",
    "Proposal",
    "finish",
    "import_page",
    "propose",
    "read_csv",
    "read_netbox",
    "write",
]
