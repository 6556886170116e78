"""Direct control as it runs: whom controllers let in, and what becomes of an order."""
