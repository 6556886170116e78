"""Tables of a VEN. What is to be sent or done is a row until the other side has confirmed it."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS registration (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    registration_id TEXT NOT NULL,
    ven_id TEXT NOT NULL,
    vtn_id TEXT NOT NULL,
    poll_every_s INTEGER NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS event (
    event_id TEXT PRIMARY KEY,
    modification INTEGER NOT NULL,
    opt TEXT NOT NULL,
    cancelled INTEGER NOT NULL,
    ends TEXT,
    body BLOB NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS action (
    number INTEGER PRIMARY KEY,
    event_id TEXT NOT NULL,
    modification INTEGER NOT NULL,
    kind TEXT NOT NULL,
    turn INTEGER NOT NULL,
    body BLOB NOT NULL,
    done INTEGER NOT NULL DEFAULT 0,
    UNIQUE (event_id, modification, kind, turn)
) STRICT;

CREATE TABLE IF NOT EXISTS outbox (
    number INTEGER PRIMARY KEY,
    about TEXT NOT NULL UNIQUE,
    service TEXT NOT NULL,
    body BLOB NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'done', 'refused')),
    code TEXT NOT NULL DEFAULT '',
    queued TEXT NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS report_request (
    report_request_id TEXT PRIMARY KEY,
    specifier_id TEXT NOT NULL,
    r_ids TEXT NOT NULL,
    every_s INTEGER NOT NULL,
    due TEXT NOT NULL
) STRICT;
"""
