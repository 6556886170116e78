"""The REST API of DRAS on the running network."""
