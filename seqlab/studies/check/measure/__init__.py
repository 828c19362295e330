"""What a check measures of a text, a model, its first steps and this machine."""
