"""The REST API of a VTN: the aggregators' own systems order events by it (TR-1072 8.3)."""
