"""What may be added to a trained network when it is evaluated."""
