"""Live verification: what a running service does, against what the plan says, as verdicts with evidence."""
