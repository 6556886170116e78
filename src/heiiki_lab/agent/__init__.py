"""What runs inside the guest: its init, and one agent a node. Standard library only, Python 3.11 or later."""
