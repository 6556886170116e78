"""STAMP test packets (RFC 8762, unauthenticated mode) between the hub's hosts and the sites' controllers.

    heiiki-agent stamp serve --address OWN --peer ADDRESS... --session NAME --lease SECONDS
                                              reflects for known peers, sends streams, records arrivals
    heiiki-agent stamp rtt --peer ADDRESS     round-trip times to a reflector, seconds

A host runs ``serve`` while a measurement lasts, and no longer: the controller starts it, asks on its
control socket (`control`), and ends it. A process that is not asked anything for the time of its lease ends
by itself, so that a measurement that was killed leaves no open port behind.

A test packet whose session identifier (RFC 8972) is `packets.ONE_WAY` is recorded and not reflected: the
receiver measures the silence on its own clock, so no direction can hide behind the other. Arrival times come
from the kernel's own receive timestamps; a process that wakes up late reads old packets, not late ones. Late
wake-ups are kept as stalls.
"""
