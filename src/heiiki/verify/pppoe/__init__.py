"""Optical access while it works: sessions, and what they refuse."""
