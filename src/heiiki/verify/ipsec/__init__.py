"""IPsec: associations, certificates, what is on the wire, and what must be refused."""
