"""Recurrent cells, one file a family, and the table of them."""
