"""A VTN on two hosts: one writes, and the other has each transaction before its answer leaves."""
