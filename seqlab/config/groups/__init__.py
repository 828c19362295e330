"""The groups of settings, one a file."""
