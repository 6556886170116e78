"""Network devices in numbers: read, compared, changed with a timed rollback, tested and confirmed."""
