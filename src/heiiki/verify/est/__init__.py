"""What the registration authority says of itself, and whom it refuses."""
