"""The DRAS as an MMS client of every site's controller, and the socket of its operator."""
