"""Tables of the registration authority. A key has one certificate, whatever is asked and however often."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS secret (
    number INTEGER PRIMARY KEY,
    device TEXT NOT NULL,
    digest TEXT NOT NULL,
    trust TEXT NOT NULL,
    made TEXT NOT NULL,
    ends TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'used', 'withdrawn')),
    changed TEXT NOT NULL,
    key TEXT
) STRICT;

CREATE UNIQUE INDEX IF NOT EXISTS one_open_secret ON secret (device) WHERE state = 'open';

CREATE TABLE IF NOT EXISTS certificate (
    key TEXT PRIMARY KEY,
    device TEXT NOT NULL,
    secret INTEGER REFERENCES secret,
    asked TEXT NOT NULL,
    issued TEXT,
    serial TEXT,
    pem TEXT
) STRICT;
"""
"""`key` is the SHA-256 of a public key. A certificate without `issued` was asked for, and what came of it is
not known yet."""
