"""What studies can tune: `TUNABLES` in `table.py`, a file for each."""
