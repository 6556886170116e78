"""Fault injection: each element of every path fails in turn, and the interruption is measured."""
