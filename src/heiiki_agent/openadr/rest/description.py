"""The description of the REST API (OpenAPI 3.1), made of the table by which it works."""

import json
from typing import Any

from heiiki_agent.openadr.rest import problems
from heiiki_agent.openadr.rest.operations import OPERATIONS, PREFIX, Operation
from heiiki_agent.openadr.rest.problems import Problem
from heiiki_agent.openadr.rest.request import KEY, KEY_FORM, MOST, PATH
from heiiki_agent.openadr.rest.schema import named, reference

_ABOUT = """\
Order demand-response events of a service, and read what its sites answer and measure. Who asks is the name \
in its client certificate, which also says which sites are there for it. Every answer with a change in it \
was committed before it was sent. What is refused has changed nothing.\
"""


def document() -> dict[str, Any]:
    """Return the description."""
    paths: dict[str, dict[str, Any]] = {}
    for one in OPERATIONS:
        paths.setdefault(PREFIX + one.path, {})[one.method.lower()] = _operation(one)
    given = (Problem, *(one.answer for one in OPERATIONS))
    taken = (one.takes for one in OPERATIONS if one.takes)
    schemas = (
        *(pair for kind in given for pair in named(kind)),
        *(pair for kind in taken for pair in named(kind, taken=True)),
    )
    return {
        "openapi": "3.1.0",
        "info": {"title": "Heiiki: demand-response events", "version": "1", "description": _ABOUT},
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas)),
            "securitySchemes": {"certificate": {"type": "mutualTLS"}},
        },
        "security": [{"certificate": []}],
    }


def text() -> str:
    """Return the description as it is kept and served."""
    return json.dumps(document(), indent=2) + "\n"


def _operation(one: Operation) -> dict[str, Any]:
    answers = {str(int(one.status)): _answer(one.summary, "application/json", one.answer)}
    for status in one.problems:
        answers[str(int(status))] = _answer(status.phrase, problems.CONTENT_TYPE, Problem)
    found: dict[str, Any] = {
        "operationId": one.name,
        "summary": one.summary,
        "parameters": _parameters(one),
        "responses": dict(sorted(answers.items())),
    }
    if one.takes:
        found["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": reference(one.takes)}},
        }
    return found


def _parameters(one: Operation) -> list[dict[str, Any]]:
    found = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in PATH.findall(one.path)
    ]
    if one.paged:
        limit = {"type": "integer", "minimum": 1, "maximum": MOST, "default": MOST}
        found.append({"name": "after", "in": "query", "schema": {"type": "string", "minLength": 1}})
        found.append({"name": "limit", "in": "query", "schema": limit})
    if one.takes:
        key = {"type": "string", "pattern": f"^{KEY_FORM}$"}
        found.append({"name": KEY, "in": "header", "required": True, "schema": key})
    return found


def _answer(about: str, content_type: str, kind: type) -> dict[str, Any]:
    return {"description": about, "content": {content_type: {"schema": reference(kind)}}}
