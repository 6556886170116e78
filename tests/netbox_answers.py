"""A stand-in for NetBox: answers of its REST API, written by hand from the serializers of NetBox 4.6.8.

No NetBox was asked: it needs PostgreSQL and Redis. Every object has all fields that the serializers of that
release name (`dcim.api.serializers_.sites`, `.devices`, `circuits.api.serializers_.circuits`), nested objects
their brief fields. Pages, filters by tag, provider and role, the header of the version and the refusals are
what its REST framework does, as far as an import needs them.
"""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

TOKEN = 20 * "ab"
HOST = "https://netbox.example"
_MADE = {"created": "2026-04-01T09:00:00+09:00", "last_updated": "2026-11-02T10:12:44.120000+09:00"}
_APPS = {"sites": "dcim", "devices": "dcim", "circuits": "circuits", "circuit-terminations": "circuits"}


def _links(kind: str, number: int, app: str = "") -> dict[str, Any]:
    app = app or _APPS[kind]
    return {
        "id": number,
        "url": f"{HOST}/api/{app}/{kind}/{number}/",
        "display_url": f"{HOST}/{app}/{kind}/{number}/",
    }


def _brief(app: str, kind: str, number: int, name: str, **more: Any) -> dict[str, Any]:
    slug = name.lower().replace(" ", "-")
    url = f"{HOST}/api/{app}/{kind}/{number}/"
    return {
        "id": number,
        "url": url,
        "display": name,
        "name": name,
        "slug": slug,
        "description": "",
        **more,
    }


def site(at: int, slug: str, tenant: str | None, **fields: Any) -> dict[str, Any]:
    """A site with the tag `heiiki`, and its custom fields."""
    return {
        **_links("sites", at),
        "display": slug.title(),
        "name": slug.title(),
        "slug": slug,
        "status": {"value": "active", "label": "Active"},
        "region": _brief("dcim", "regions", 3, "Osaka", site_count=0, _depth=1),
        "group": None,
        "tenant": tenant and _brief("tenancy", "tenants", 100 + at, tenant),
        "facility": "",
        "time_zone": "Asia/Tokyo",
        "description": "",
        "physical_address": "",
        "shipping_address": "",
        "latitude": None,
        "longitude": None,
        "owner": None,
        "comments": "",
        "asns": [],
        "tags": [{**_brief("extras", "tags", 1, "heiiki"), "color": "9e9e9e"}],
        "custom_fields": {f"heiiki_{key}": value for key, value in fields.items()} | {"cost_centre": 4711},
        **_MADE,
        "circuit_count": 2,
        "device_count": 3,
        "prefix_count": 0,
        "rack_count": 0,
        "virtualmachine_count": 0,
        "vlan_count": 0,
    }


def circuit(number: int, cid: str, provider: str, site_id: int, **changed: Any) -> dict[str, Any]:
    """A circuit from a carrier's network to a site."""

    def end(place: int, kind: str, there: Mapping[str, Any]) -> dict[str, Any]:
        return {
            **_links("circuit-terminations", place),
            "display": f"{cid}: Termination",
            "termination_type": kind,
            "termination_id": there["id"],
            "termination": there,
            "port_speed": 1_000_000,
            "upstream_speed": None,
            "xconnect_id": "",
            "description": "",
        }

    network = _brief("circuits", "provider-networks", 5, f"{provider} core")
    del network["slug"]
    return {
        **_links("circuits", number),
        "display": cid,
        "cid": cid,
        "provider": _brief("circuits", "providers", 7, provider, circuit_count=0),
        "provider_account": None,
        "type": _brief("circuits", "circuit-types", 2, "Access"),
        "status": {"value": "active", "label": "Active"},
        "tenant": None,
        "install_date": "2026-05-01",
        "termination_date": None,
        "commit_rate": None,
        "description": "",
        "distance": None,
        "distance_unit": None,
        "termination_a": end(2 * number, "dcim.site", _brief("dcim", "sites", site_id, f"Site {site_id}")),
        "termination_z": end(2 * number + 1, "circuits.providernetwork", network),
        "owner": None,
        "comments": "",
        "tags": [],
        "custom_fields": {},
        **_MADE,
        "assignments": [],
        **changed,
    }


def device(number: int, name: str, role: str, site_id: int, **changed: Any) -> dict[str, Any]:
    """A device of a role at a site."""
    counts = (
        *("console_port", "console_server_port", "power_port", "power_outlet", "cooling_intake"),
        *("cooling_outflow", "interface", "front_port", "rear_port", "device_bay", "module_bay"),
        "inventory_item",
    )
    empty = (
        *("tenant", "platform", "asset_tag", "location", "rack", "position", "face", "latitude", "longitude"),
        *("parent_device", "airflow", "cooling_method", "primary_ip", "primary_ip4", "primary_ip6", "oob_ip"),
        *("cluster", "virtual_chassis", "vc_position", "vc_priority", "owner", "config_template"),
        "local_context_data",
    )
    maker = _brief("dcim", "manufacturers", 1, "Any", devicetype_count=0)
    return {
        **_links("devices", number),
        "display": name,
        "name": name,
        "device_type": {
            "id": 1,
            "url": f"{HOST}/api/dcim/device-types/1/",
            "display": "Box",
            "manufacturer": maker,
            "model": "Box",
            "slug": "box",
            "description": "",
            "device_count": 0,
        },
        "role": _brief("dcim", "device-roles", 4, role, device_count=0, virtualmachine_count=0, _depth=0),
        **dict.fromkeys(empty),
        "serial": "",
        "site": _brief("dcim", "sites", site_id, f"Site {site_id}"),
        "status": {"value": "active", "label": "Active"},
        "description": "",
        "comments": "",
        "config_context": {},
        "tags": [],
        "custom_fields": {},
        **_MADE,
        **{f"{name}_count": 0 for name in counts},
        **changed,
    }


def platform(name: str) -> dict[str, Any]:
    """The platform of a device."""
    return _brief("dcim", "platforms", 9, name, device_count=0, virtualmachine_count=0, _depth=0)


@dataclass
class NetBox:
    """What NetBox has, and what it was asked."""

    sites: list[dict[str, Any]] = field(default_factory=list)
    circuits: list[dict[str, Any]] = field(default_factory=list)
    devices: list[dict[str, Any]] = field(default_factory=list)
    version: str = "4.6"
    asked: list[tuple[str, str]] = field(default_factory=list)
    url: str = ""

    def answer(self, path: str, token: str) -> tuple[int, Any]:
        """Return status and body for a GET."""
        parts = urlsplit(path)
        if parts.path == "/api/":
            return 200, {}
        if token not in (f"Token {TOKEN}", f"Bearer {TOKEN}"):
            return 403, {"detail": "Invalid token"}
        asked = parse_qs(parts.query)
        match parts.path:
            case "/api/dcim/sites/":
                found = [one for one in self.sites if {tag["slug"] for tag in one["tags"]} & {*asked["tag"]}]
            case "/api/circuits/circuits/":
                found = [one for one in self.circuits if one["provider"]["slug"] in asked["provider"]]
            case "/api/dcim/devices/":
                found = [one for one in self.devices if one["role"]["slug"] in asked["role"]]
            case "/api/status/":
                return 200, {"netbox-version": f"{self.version}.8"}
            case _:
                return 404, {"detail": "Not found."}
        return 200, self._page(found, asked, parts.path)

    def _page(self, found: list[Any], asked: Mapping[str, list[str]], path: str) -> dict[str, Any]:
        limit = int(asked.get("limit", ["50"])[0]) or 1000
        offset = int(asked.get("offset", ["0"])[0])
        query = urlencode({**asked, "limit": limit, "offset": offset + limit}, doseq=True)
        following = f"{self.url}{path}?{query}"
        return {
            "count": len(found),
            "next": following if offset + limit < len(found) else None,
            "previous": None,
            "results": found[offset : offset + limit],
        }


@contextmanager
def serving(netbox: NetBox) -> Iterator[NetBox]:
    """Serve on loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            netbox.asked.append((self.command, self.path))
            status, body = netbox.answer(self.path, self.headers.get("Authorization", ""))
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.send_header("API-Version", netbox.version)
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - names of the library

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    netbox.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield netbox
    finally:
        server.shutdown()
        server.server_close()
