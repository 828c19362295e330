"""`seqlab data`: list, inspect, fetch and prepare texts."""

from __future__ import annotations

import typer

app = typer.Typer(help="List, inspect, fetch and prepare texts.", no_args_is_help=True)
