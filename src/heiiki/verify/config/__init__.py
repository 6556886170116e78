"""The config stage: what runs, compared with what was compiled."""
