"""R-EVENT: demand-response events, and whether any is lost or doubled."""
