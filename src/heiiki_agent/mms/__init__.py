"""Direct control by IEC 61850-8-1: MMS over TLS (IEC 62351-3), on the DRAS and at a site's controller.

`server` is what a controller offers of its resource; `client` is the DRAS, with its operator's socket. Each
keeps a book in SQLite. A *service program*: it brings the package open61850 with it, and needs nothing else
beside the standard library.
"""
