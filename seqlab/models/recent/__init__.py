"""What the text so far says of the next word."""
