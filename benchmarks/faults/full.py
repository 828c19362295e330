"""The disk is full, or no file may be longer than so many bytes: one sentence, and what was there stays."""

from __future__ import annotations

import os
import random
import resource
from pathlib import Path

from . import commands
from .calls import library
from .trials import Outcome, Part

KINDS = ("full disk", "longest file")
REPLACED = ("convert to text", "convert to npz", "convert to projector", "visualize", "curves", "evaluate --tokens")
"""Commands that replace what they wrote before by something new."""
LEAST = 2048
"""Bytes: a file this long must be possible, or not even an error could be said to a file."""


class Full(Part):
    """A trial is one command with room for some of what it writes; then the same command again with enough."""

    name, share, planned, quick = "full", 0.06, 300, 8

    def prepare(self) -> None:
        self.expected: dict[str, dict[str, str]] = {}
        self.room: dict[tuple[str, str], int] = {}
        for name in list(commands.COMMANDS)[: self.quick if self.short else None]:
            folder = commands.emptied(self.place / "whole")
            with commands.in_folder(folder, folder / "cache"):
                ended = commands.run_forked(commands.arguments(name, self.inputs))
                assert ended.code == 0, ended
            self.expected[name] = commands.written(folder)
            sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
            self.room[name, "full disk"] = sum(sizes)
            self.room[name, "longest file"] = max(sizes)

    def trial(self, number: int, draw: random.Random, folder: Path) -> Outcome:
        name = list(commands.COMMANDS)[number % len(commands.COMMANDS)]
        kind = KINDS[number // len(commands.COMMANDS) % 2]
        room = round(self.room[name, kind] * draw.random() ** 2)
        room = max(room, LEAST) if kind == "longest file" else room
        wrong = self._wrong(name, kind, room, folder, old=name in REPLACED and draw.random() < 0.5)
        return Outcome(wrong and f"{name}: {kind}, {room:,} bytes: {wrong}", {kind: 1})

    def _wrong(self, name: str, kind: str, room: int, folder: Path, old: bool) -> str:
        """What is wrong, "" where nothing is."""
        command, expected = commands.arguments(name, self.inputs), self.expected[name]

        def limit() -> None:
            if kind == "full disk":
                library().faults_room(os.fsencode(folder), room)
            else:
                resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

        with commands.in_folder(folder, folder / "cache"):
            before = {}
            if old:
                for path in expected:
                    (folder / path).write_text("what was there")
                before = commands.written(folder)
            first = commands.run_forked(command, before=limit)
            if first.foreign:
                return f"code {first.code}: {first.err[-500:]}"
            found = commands.written(folder)
            if first.code == 0 and (wrong := commands.difference(found, expected)):
                return f"ended well with another result: {wrong}"
            if first.code and not first.err.splitlines()[-1].startswith("seqlab: "):
                return f"no sentence: {first.err[-300:]}"
            if first.code and old and (wrong := commands.difference(found, before)):
                return f"what was there has changed: {wrong}"
            return commands.again(command, folder, expected)
