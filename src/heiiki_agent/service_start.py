"""What a daemon tells the service manager of its start: sd_notify(3)."""

import os
import socket


def notify_ready() -> None:
    """Say that the start is over; nothing where no service manager asks for it."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as manager:
        # A leading `@` stands for the null byte of an abstract address.
        manager.connect(f"\0{address[1:]}" if address.startswith("@") else address)
        manager.sendall(b"READY=1")
