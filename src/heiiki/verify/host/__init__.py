"""What a host has and runs that nobody planned: everything is a finding that the plan does not explain."""
