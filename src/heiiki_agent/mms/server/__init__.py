"""A site's controller as an MMS server: what its resource measures, and what it is ordered."""
