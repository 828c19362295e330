"""Damaged files of every kind: `samples` are whole, `damage` is done to them, `part` reads them and judges."""
