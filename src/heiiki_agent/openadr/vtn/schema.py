"""Tables of a VTN. The primary keys are what keeps a message that comes twice from counting twice."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS ven (
    ven_id TEXT PRIMARY KEY,
    registration_id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    registered TEXT NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS event (
    event_id TEXT PRIMARY KEY,
    modification INTEGER NOT NULL,
    ends TEXT,
    cancelled INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE IF NOT EXISTS event_version (
    event_id TEXT NOT NULL REFERENCES event,
    modification INTEGER NOT NULL,
    body BLOB NOT NULL,
    created TEXT NOT NULL,
    PRIMARY KEY (event_id, modification)
) STRICT;

CREATE TABLE IF NOT EXISTS event_target (
    ven_id TEXT NOT NULL,
    event_id TEXT NOT NULL REFERENCES event,
    PRIMARY KEY (ven_id, event_id)
) STRICT;

CREATE TABLE IF NOT EXISTS event_answer (
    ven_id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    modification INTEGER NOT NULL,
    opt TEXT NOT NULL,
    code TEXT NOT NULL,
    received TEXT NOT NULL,
    PRIMARY KEY (ven_id, event_id, modification),
    FOREIGN KEY (event_id, modification) REFERENCES event_version
) STRICT;

CREATE TABLE IF NOT EXISTS opt (
    ven_id TEXT NOT NULL,
    opt_id TEXT NOT NULL,
    opt TEXT NOT NULL,
    event_id TEXT,
    modification INTEGER,
    body BLOB NOT NULL,
    received TEXT NOT NULL,
    cancelled INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (ven_id, opt_id)
) STRICT;

CREATE TABLE IF NOT EXISTS report_request (
    ven_id TEXT NOT NULL,
    specifier_id TEXT NOT NULL,
    report_request_id TEXT NOT NULL,
    PRIMARY KEY (ven_id, specifier_id),
    UNIQUE (ven_id, report_request_id)
) STRICT;

CREATE TABLE IF NOT EXISTS report (
    number INTEGER PRIMARY KEY,
    ven_id TEXT NOT NULL,
    report_request_id TEXT NOT NULL,
    created TEXT NOT NULL,
    digest TEXT NOT NULL,
    body BLOB NOT NULL,
    received TEXT NOT NULL,
    UNIQUE (ven_id, report_request_id, created, digest)
) STRICT;

CREATE TABLE IF NOT EXISTS answer (
    ven_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    request_id TEXT NOT NULL,
    digest TEXT NOT NULL,
    body BLOB NOT NULL,
    received TEXT NOT NULL,
    PRIMARY KEY (ven_id, kind, request_id)
) STRICT;

CREATE TABLE IF NOT EXISTS rest_event (
    number INTEGER PRIMARY KEY,
    esp TEXT NOT NULL,
    event_id TEXT NOT NULL UNIQUE REFERENCES event
) STRICT;

CREATE TABLE IF NOT EXISTS rest_answer (
    esp TEXT NOT NULL,
    key TEXT NOT NULL,
    digest TEXT NOT NULL,
    body BLOB NOT NULL,
    received TEXT NOT NULL,
    PRIMARY KEY (esp, key)
) STRICT;
CREATE INDEX IF NOT EXISTS rest_event_esp ON rest_event (esp);
CREATE INDEX IF NOT EXISTS answer_received ON answer (received);
CREATE INDEX IF NOT EXISTS report_received ON report (received);
"""
