"""What a host has and runs beside the plan: everything is a finding that the plan does not explain."""
