"""OpenADR 2.0b (IEC 62746-10-1): both ends, so that no event, opt or report is lost or done twice.

`codec` turns messages into bytes and back, without I/O; `vtn` and `ven` are the two ends, each with its
state in SQLite. A *service program*: beside the standard
library it needs python3-lxml, the VTN python3-aiohttp, and where messages go over XMPP python3-slixmpp.
"""
