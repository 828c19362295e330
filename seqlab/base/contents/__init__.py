"""What files hold: the form of our own, and what foreign ones are by their first bytes."""
