"""How OpenADR is spoken: what the file of the service says of it, held together."""

from collections.abc import Iterator

from heiiki.errors import Problem
from heiiki.intent.model import Service
from heiiki.intent.yaml_source import YamlSource


def problems(source: YamlSource, service: Service) -> Iterator[Problem]:
    """Yield what cannot be had together."""
    if service.openadr.transport == "xmpp" and service.openadr.security == "high":
        what = "an XMPP server rewrites the XML of a message, which no signature outlives"
        yield source.problem(
            ("openadr", "transport"), what, "write `security: standard` or `transport: simpleHttp`"
        )
