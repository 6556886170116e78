"""Path validation (RFC 5280 6.1), by `openssl verify`.

Python's cryptography validates for TLS alone: it refuses the extended key usage of IKE, and some of the name
constraints that the service's CAs have.
"""

import os
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

from heiiki_agent.errors import AgentError
from heiiki_agent.pki.x509 import Certificate

OPENSSL_S = 15.0


def why_not(leaf: Certificate, others: Iterable[Certificate], roots: Iterable[Certificate]) -> str:
    """Return why `leaf` does not verify against `roots` by way of `others`, or nothing when it does.

    Raises:
        AgentError: openssl does not run or does not end.
    """
    chain = tuple(others)
    with ExitStack() as stack:
        trusted, trusted_path = stack.enter_context(_in_memory(roots))
        between, between_path = stack.enter_context(_in_memory(chain))
        # The machine's own store of CAs has no say in this.
        only = ("-no-CApath", "-no-CAstore", "-x509_strict")
        # A file without a certificate is an error.
        files = ("-CAfile", trusted_path, *(("-untrusted", between_path) if chain else ()))
        done = _openssl(("verify", *only, *files), leaf.pem, (trusted, between))
    if not done.returncode:
        return ""
    said = done.stderr + done.stdout
    told = [line for line in said.splitlines() if "error" in line] or [said.strip()]
    return told[0][-300:] or "openssl verify says no"


@contextmanager
def _in_memory(certificates: Iterable[Certificate]) -> Iterator[tuple[int, str]]:
    """Give descriptor and path of a file that is never on a disk."""
    descriptor = os.memfd_create("heiiki")
    try:
        os.write(descriptor, "".join(item.pem for item in certificates).encode())
        yield descriptor, f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _openssl(
    arguments: tuple[str, ...], given: str, descriptors: tuple[int, ...]
) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(
            ["openssl", *arguments],
            input=given,
            capture_output=True,
            text=True,
            timeout=OPENSSL_S,
            check=False,
            pass_fds=descriptors,
        )
    except FileNotFoundError as error:
        raise AgentError("there is no openssl: install package openssl") from error
    except subprocess.TimeoutExpired as error:
        raise AgentError(f"`openssl {arguments[0]}` was not done within {OPENSSL_S:g} s") from error
