"""Rows of results: what a benchmark measured, where and against what, one JSON object a line in `benchmarks/rows/`.

Every benchmark takes `--rows TABLE` (`add_option`) and then adds its figures with `record`, together with command,
date, commit and machine. `python -m benchmarks.report` then writes SCOREBOARD.md, FEATURES.md and LOG.md anew. `data`
finds the shared texts through $SEQLAB_TEST_DATA.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

HERE = Path(__file__).resolve().parent
ROWS = HERE / "rows"
VECTORS = {"avx2": "avx2", "avx512f": "avx512", "avx512bf16": "bf16", "amx-bf16": "amx", "neon": "neon"}
"""LLVM's name of a CPU feature -> what rows call it. Only these decide which kernel runs."""

Text = Annotated[str, Field(min_length=1)]


class Strict(BaseModel):
    """Unknown keys, infinities and not-a-numbers are errors."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Machine(Strict):
    """What a figure in seconds depends on.

    cpu: the model's name. cores: those that the process could use. vector: names of VECTORS. note: anything else.
    """

    cpu: Text
    cores: int = Field(ge=1)
    vector: list[str]
    note: str = ""


class Figure(Strict):
    """One measured number, with what was measured and its unit ("" for a bare ratio)."""

    metric: Text
    value: float
    unit: str = ""


class Peer(Strict):
    """What the figure is compared with, in the same run and metric: another program or an ablation."""

    name: Text
    value: float


class Row(Strict):
    """One line of a table: a headline figure, optionally its peer, and what was measured beside it.

    id: table/line, such as "lm/throughput/sampled-1024"; unique. name: the line's label. ratio: figure over peer.
    """

    id: str = Field(pattern=r"^[a-z0-9]+([-./][a-z0-9]+)+$")
    name: Text
    date: date
    commit: str | None = Field(None, pattern=r"^[0-9a-f]{7,40}$")
    machine: Machine
    command: Text
    figure: Figure
    peer: Peer | None = None
    ratio: float | None = None
    also: list[Figure] = []
    note: str = ""

    @property
    def table(self) -> str:
        """The table that the row is a line of."""
        return self.id.rpartition("/")[0]


def data(*parts: str) -> Path:
    """A path in the shared data: $SEQLAB_TEST_DATA, else ../shared/data beside the repository."""
    given = os.environ.get("SEQLAB_TEST_DATA")
    folder = Path(given) if given else HERE.parents[1] / "shared" / "data"
    if not folder.is_dir():
        raise SystemExit(f"{folder}: no such folder; set SEQLAB_TEST_DATA to the folder with the shared texts.")
    return folder.joinpath(*parts)


def machine(note: str = "") -> Machine:
    """This machine, on Linux, macOS and Windows."""
    import llvmlite.binding as llvm

    features = llvm.get_host_cpu_features()
    names = [name for feature, name in VECTORS.items() if features.get(feature)]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Machine(cpu=_cpu(), cores=cores, vector=names, note=note)


def _cpu() -> str:
    """The CPU's name: Linux has it in a file, macOS behind a command, Windows in the environment."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    if platform.system() == "Darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or platform.machine()
    return os.environ.get("PROCESSOR_IDENTIFIER") or platform.processor() or platform.machine()


def commit() -> str | None:
    """The commit of this checkout, None outside git."""
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=HERE, capture_output=True, text=True, check=False)
    return done.stdout.strip()[:12] or None


def read(folder: Path = ROWS) -> list[Row]:
    """All rows, in the order of files and lines. Raises ValueError naming file and line when one is wrong."""
    found: dict[str, Row] = {}
    for path in sorted(folder.glob("*.jsonl")):
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            try:
                row = Row.model_validate_json(line)
            except ValueError as error:
                raise ValueError(f"{path.name}:{number}: {error}") from None
            if row.id in found:
                raise ValueError(f"{path.name}:{number}: a second row {row.id}")
            found[row.id] = row
    return list(found.values())


def append(file: str, rows: Iterable[Row], folder: Path = ROWS) -> None:
    """Add rows to `rows/FILE.jsonl`; one whose id is there already replaces the old one."""
    path = folder / f"{file}.jsonl"
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    kept = {row["id"]: row for row in map(json.loads, lines)}
    for row in rows:
        kept[row.id] = compact(row)
    folder.mkdir(exist_ok=True)
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in kept.values())
    path.write_text(text, encoding="utf-8", newline="\n")


def compact(row: Row) -> dict[str, Any]:
    """A row as it is written: empty fields left out."""
    return row.model_dump(mode="json", exclude_defaults=True)


def add_option(parser: argparse.ArgumentParser) -> None:
    """The option by which a benchmark is told to keep its figures."""
    parser.add_argument("--rows", metavar="TABLE", help="add the figures to benchmarks/rows, such as lm/throughput")


def record(
    table: str | None,
    lines: Mapping[str, Mapping[str, float | None]],
    peer: str | None = None,
    note: str | Mapping[str, str] = "",
    folder: Path = ROWS,
    argv: str | None = None,
    where: str = "",
) -> list[Row]:
    """Add one row for every line that was measured; without a `table` nothing is written.

    Args:
        table: such as "lm/throughput"; its first part names the file.
        lines: name -> {"metric [unit]": value}; the first is the headline, None leaves a figure out.
        peer: the line that the others are compared with.
        note: anything a reader must know, of all lines or by line.
        argv: the command, where it is not the one that started this process.
        where: a note on the machine, such as "one thread, shared with other work".
    """
    if table is None:
        return []
    found, base = [], lines[peer] if peer else {}
    for name, values in lines.items():
        figures = {key: figure(key, value) for key, value in values.items() if value is not None}
        headline, *also = figures
        against = None if name == peer else base.get(headline)
        found.append(
            Row(
                id=f"{table}/{slug(name)}",
                name=name,
                date=date.today(),
                commit=os.environ.get("SEQLAB_COMMIT") or commit(),
                machine=machine(where),
                command=argv or command(),
                figure=figures[headline],
                peer=Peer(name=peer, value=against) if peer and against is not None else None,
                ratio=float(f"{figures[headline].value / against:.3g}") if against else None,
                also=[figures[key] for key in also],
                note=note if isinstance(note, str) else note.get(name, ""),
            )
        )
    append(table.partition("/")[0], found, folder)
    return found


def figure(key: str, value: float) -> Figure:
    """ "speed [tokens/s]" and a number."""
    metric, _, unit = key.rstrip("]").partition(" [")
    return Figure(metric=metric, value=round(value, 4), unit=unit)


def slug(name: str) -> str:
    """A line's name as the end of an id."""
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-.")


def command() -> str:
    """How this process was started, from the repository's root, without the option that keeps its rows."""
    arguments = [Path(one).name if Path(one).is_absolute() else one for one in sys.argv[1:]]
    if "--rows" in arguments:
        place = arguments.index("--rows")
        del arguments[place : place + 2]
    threads = os.environ.get("OMP_NUM_THREADS")
    start = [f"OMP_NUM_THREADS={threads}"] if threads else []
    script = Path(sys.argv[0]).resolve().with_suffix("")
    module = ".".join(script.relative_to(HERE.parent).parts) if script.is_relative_to(HERE) else script.name
    return " ".join([*start, "python", "-m", module, shlex.join(arguments)]).strip()
