"""A folder that must stay where it is gets its new content from inside, in steps that a later start can finish.

The new content is written to `.new.NUMBER` in the folder. Once renamed to `.ready` it is complete: the old files go to
`.gone`, then `.ready` becomes `.moving`, and its files move up. After a kill the names tell how to go on.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from .held import held_by_another

READY, GONE, MOVING = ".ready", ".gone", ".moving"
LAST = "manifest.json"
"""By which readers know a folder as whole."""


def move_inside(new: Path, folder: Path) -> None:
    """Make the files in `new`, a folder in `folder`, the content of `folder`, in place of what is there."""
    os.rename(new, folder / READY)
    _finish(folder)


def finish_moves(folder: Path) -> None:
    """Go on where a killed `move_inside` stopped; one that another program is in the middle of is left to it.

    Whoever opens a folder calls this too: until then it lacks files, or has those of two versions.
    """
    there = [folder / name for name in (READY, MOVING, GONE) if (folder / name).is_dir()]
    if there and not any(map(held_by_another, there)):
        _finish(folder)


def _finish(folder: Path) -> None:
    ready, gone, moving = folder / READY, folder / GONE, folder / MOVING
    if ready.is_dir():
        gone.mkdir(exist_ok=True)
        for child in folder.iterdir():
            if child.name not in (READY, GONE):
                os.rename(child, gone / child.name)
        os.rename(ready, moving)
    if moving.is_dir():
        for child in sorted(moving.iterdir(), key=lambda child: child.name == LAST):
            os.rename(child, folder / child.name)
        moving.rmdir()
    shutil.rmtree(gone, ignore_errors=True)
