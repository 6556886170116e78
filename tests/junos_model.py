"""Lines of `set` against the configuration model of Junos: names, order, enumerations, ranges.

`junos_model.json` is the part of Juniper's modules ``junos-es-conf-*`` of release 24.4R1 (Juniper/yang on
GitHub, Apache License 2.0) that the lines of the golden file walk through, with every name beside. To write
it anew after lines of another kind: `python tests/junos_model.py FOLDER_OF_YANG`.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Node = dict[str, Any]
Statement = tuple[str, str, list[Any]]

TRIMMED = Path(__file__).with_suffix(".json")
LINES = Path(__file__).parent / "golden/vendors/sonezaki-ce-a/vendor/junos.set"
_TOKEN = re.compile(
    r'\s+|//[^\n]*|/\*.*?\*/|"((?:[^"\\]|\\.)*)"|\'([^\']*)\'|([{};])|([^\s{};"\']+)', re.DOTALL
)
_NODES = frozenset({"container", "list", "leaf", "leaf-list"})
_SILENT = {
    "address": "ip-prefix",
    "autonomous-system": "as-number",
    "default-policy": "default-action",
    "hostname": "identity-hostname",
    "idle-timeout": "timeout",
    "input": "filter-name",
    "interfaces": "interface",
    "local-preference": "local-preference",
    "output": "filter-name",
    "preference": "metric-value",
    "prefix-list": "prefix-list-item",
}
"""Lists and leaves that have no word of their own on the command line, by what they are in."""
_INTEGERS = frozenset({"uint8", "uint16", "uint32", "uint64", "int32", "int64"})


class Model:
    """The model, and what of it was walked through."""

    def __init__(self, root: Node) -> None:
        """Take a tree whose root has the top of the configuration as its children."""
        self.root = root

    def problem(self, line: str) -> str:
        """Return what is wrong with a line; empty when nothing is."""
        words = re.findall(r'"[^"]*"|\S+', line)
        if words[:1] != ["set"]:
            return "is no set line"
        return self._walk(self.root, [word.strip('"') for word in words[1:]])

    def _walk(self, node: Node, words: list[str]) -> str:
        while words:
            named = _named(node["name"], _opened(node), words)
            if named is None:
                return f"no `{words[0]}` here"
            child, rest = named
            child["used"] = True
            is_leaf = child["kind"] in {"leaf", "leaf-list"}
            wanted = _values(child, rest)
            for leaf, value in wanted:
                leaf["used"] = True
                if value is None or not _allowed(leaf, value):
                    return f"`{words[0]}` does not take `{value}`"
            words = rest[len(wanted) :]
            # What follows a leaf is beside it.
            node = node if is_leaf else child
        return ""


def _values(child: Node, rest: list[str]) -> list[tuple[Node, str | None]]:
    """Return the leaves whose values come next, each with it: a list's keys, or the leaf; None: none left."""
    if child["kind"] in {"leaf", "leaf-list"}:
        leaves = [] if child["type"] == "empty" else [child]
    else:
        keys = child.get("keys", [])
        # A second key has its name before it on the command line.
        if rest[1:2] and rest[1] in keys[1:]:
            del rest[1]
        leaves = [_opened(child)[key] for key in keys]
    return [(leaf, rest[at] if at < len(rest) else None) for at, leaf in enumerate(leaves)]


def _named(parent: str, children: dict[str, Node], words: list[str]) -> tuple[Node, list[str]] | None:
    """Return the child that the next words name, and the words behind its name."""
    word, rest = words[0], words[1:]
    if word in children:
        return children[word], rest
    if word == "from-zone" and "policy" in children and rest[1:2] == ["to-zone"]:
        return children["policy"], [rest[0], *rest[2:]]
    silent = children.get(_SILENT.get(parent, ""))
    if silent is None or (silent["kind"] != "list" and not _allowed(silent, word)):
        return None
    return silent, words


def _allowed(leaf: Node, word: str) -> bool:
    if "values" in leaf:
        return word in leaf["values"]
    if "range" not in leaf:
        return True
    least, most = leaf["range"]
    return word.isdigit() and least <= int(word) <= most


def _opened(node: Node) -> dict[str, Node]:
    """Return the children of a node; those of the whole model are found when they are asked for."""
    if "children" not in node:
        found = (_node(one) for one in _children(node.get("body", ())))
        node["children"] = {one["name"]: one for one in found if not one["name"].startswith("apply-")}
    children: dict[str, Node] = node["children"]
    return children


_groupings: dict[str, list[Statement]] = {}
_typedefs: dict[str, list[Statement]] = {}


def _children(body: list[Statement]) -> Iterator[Statement]:
    for keyword, argument, inner in body:
        if keyword in _NODES:
            yield keyword, argument, inner
        elif keyword in {"choice", "case"}:
            yield from _children(inner)
        elif keyword == "uses":
            yield from _children(_groupings.get(argument.rpartition(":")[2], []))


def _node(statement: Statement) -> Node:
    keyword, name, body = statement
    node: Node = {"kind": keyword, "name": name, "body": body}
    if keyword == "list":
        node["keys"] = next((one.split() for kind, one, _ in body if kind == "key"), [])
    if keyword.startswith("leaf"):
        node |= _type(body)
    return node


def _type(body: list[Statement]) -> Node:
    """Return type, values and range; of a union those of its one part that is no pattern for wildcards."""
    name, inner = next((one.rpartition(":")[2], two) for kind, one, two in body if kind == "type")
    if name == "union":
        parts = [_type([one]) for one in inner if not _is_wildcard(one)]
        return parts[0] if len(parts) == 1 else {"type": name}
    if name in _typedefs:
        return _type(_typedefs[name])
    if name == "enumeration":
        return {"type": name, "values": sorted(one for kind, one, _ in inner if kind == "enum")}
    limits = next((one for kind, one, _ in inner if kind == "range"), "")
    if name in _INTEGERS and re.fullmatch(r"\d+ ?\.\. ?\d+", limits):
        return {"type": name, "range": [int(one) for one in limits.split("..")]}
    return {"type": name}


def _is_wildcard(statement: Statement) -> bool:
    return any(kind == "pattern" and one.startswith("<.*>") for kind, one, _ in statement[2])


def _parsed(text: str) -> list[Statement]:
    """Return the statements of a module (RFC 7950 6)."""
    found: list[Statement] = []
    stack, words = [found], [""]
    keyword = ""
    for match in _TOKEN.finditer(text):
        double, single, mark, bare = match.groups()
        if mark is None and (double, single, bare) != (None, None, None):
            word = next(one for one in (double, single, bare) if one is not None)
            if not keyword:
                keyword = word
            elif word != "+":
                words.append(word)
        elif mark == "}":
            stack.pop()
        elif mark:
            stack[-1].append((keyword, "".join(words), []))
            if mark == "{":
                stack.append(stack[-1][-1][2])
            keyword, words = "", [""]
    return found


def whole(folder: Path) -> Model:
    """Return the model of the modules in a folder."""
    top: list[Statement] = []
    for path in sorted(folder.glob("*.yang")):
        ((_, _, body),) = _parsed(path.read_text(encoding="utf-8"))
        _groupings.update({one: inner for kind, one, inner in body if kind == "grouping"})
        _typedefs.update({one: inner for kind, one, inner in body if kind == "typedef"})
        named = ("augment", "container")
        top += [one for kind, _, inner in body if kind in named for one in inner]
    return Model({"kind": "container", "name": "configuration", "body": top, "used": True})


def trimmed() -> Model:
    """Return the part of the model that is kept here."""
    return Model(json.loads(TRIMMED.read_text(encoding="utf-8"))["configuration"])


def _kept(node: Node) -> Node:
    """Return a node without what was not walked through: of that the name and the type are left."""
    kept = {key: node[key] for key in ("kind", "name", "keys", "type", "values", "range") if key in node}
    if node.get("used") and node["kind"] in {"container", "list"}:
        kept["children"] = {name: _kept(one) for name, one in _opened(node).items()}
    elif node["kind"] in {"container", "list"}:
        kept["children"] = {}
    elif not node.get("used"):
        kept.pop("values", None)
    return kept


def _write(folder: Path) -> None:
    model = whole(folder)
    wrong = [f"{line}: {said}" for line in lines() if (said := model.problem(line))]
    if wrong:
        sys.exit("\n".join(wrong))
    about = (
        "From junos-es-conf-*, release 24.4R1, Copyright Juniper Networks, Inc., Apache License 2.0; trimmed."
    )
    document = {"about": about, "configuration": _kept(model.root)}
    TRIMMED.write_text(json.dumps(document, indent=0, separators=(",", ":")) + "\n", encoding="utf-8")


def lines() -> list[str]:
    """Return the lines of the golden file, without comments."""
    text = LINES.read_text(encoding="utf-8").splitlines()
    return [line for line in text if line and not line.startswith("#")]


if __name__ == "__main__":
    _write(Path(sys.argv[1]))
