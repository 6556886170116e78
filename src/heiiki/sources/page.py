"""The page of the reference that says what each key of a site file comes from."""

from heiiki.sources.keys import Key, site_keys
from heiiki.sources.netbox import COMES_FROM, custom_field

_HEAD = """\
# Where sites are imported from

Made from the model of a site file by `heiiki reference docs/reference`; do not edit. `heiiki import csv
FILE DIR` takes sites over from a table, `heiiki import netbox URL DIR` from NetBox, 4.2 or later. `--check
--diff` shows what would change.

A **table** is CSV (RFC 4180) in UTF-8, separated by commas. The first row names the columns by the keys
below, in any order; only `number` and `name` must be there, and what a new site needs. An empty cell says
nothing: the key stays as it is in the file. A list is written `kind:control`, with `;` between its items.
Problems are told by row and column, as a spreadsheet counts them.

Of **NetBox** the sites with a tag (`heiiki`, or `--tag`) are taken, with the circuits of both carriers that
end at them, and their devices of the roles named below. A carrier is the provider whose slug is the
`carrier` of the network in `service.yml`, with `-` for `_`. Circuits and devices that are *deprovisioning*,
*decommissioned*, *decommissioning* or in *inventory* are left out. Custom fields are the site's. Where a
custom field and an object both say something, they must agree. Problems are told by the address of the
object.

| key | in a table | in NetBox | needed | meaning |
|---|---|---|---|---|
"""


def import_page() -> str:
    """Return the page, one row a key."""
    return _HEAD + "".join(_row(key) for key in site_keys().values())


def _row(key: Key) -> str:
    origin = f"custom field `{custom_field(key.name)}`"
    if key.name in COMES_FROM:
        origin = f"{COMES_FROM[key.name]}; or {origin}"
    needed = "no" if key.only or not key.required else "by a new site"
    if key.name in ("number", "name"):
        needed = "always"
    return f"| `{key.name}` | {_FORMS[key.kind]} | {origin} | {needed} | {key.meaning} |\n"


_FORMS = {"integer": "digits", "string": "text", "array": "`kind:control;kind:control`"}
"""How a value is written in a table, by its kind."""
