"""The house itself: one direction of imports, a light command line, a clean wheel, no machine paths."""

from __future__ import annotations

import ast
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ORDER = [
    {"errors", "lazy", "interrupts", "cores"},
    {"files"},
    {"progress", "config", "schedules"},
    {"text", "nn"},
    {"models", "embeddings"},
    {"run"},
    {"evaluation"},
    {"training", "generation", "compression"},
    {"visualization"},
    {"api"},
]
RANK = {room: rank for rank, rooms in enumerate(ORDER) for room in rooms}


def imported_rooms(path: Path) -> set[str]:
    """Rooms of seqlab that a module imports, wherever in the file."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            names = [".".join([*base, *([node.module] if node.module else [])])]
            if not node.module or names == ["seqlab"]:
                names = [f"{names[0]}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        rooms |= {name.split(".")[1] for name in names if name.startswith("seqlab.")}
        assert not any(name.split(".")[0] in ("cli", "data", "seqlab_cli") for name in names), path
    return rooms


@pytest.mark.parametrize("path", sorted((ROOT / "seqlab").rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_a_room_imports_only_from_its_left(path):
    room = path.relative_to(ROOT / "seqlab").parts[0].removesuffix(".py")
    if room == "__init__":
        return
    for other in imported_rooms(path) - {room, "__version__"}:
        assert RANK[other] < RANK[room], f"{path.name} ({room}) imports {other}"


def test_help_and_library_import_stay_light():
    heavy = ["torch", "numba", "sklearn", "matplotlib", "tokenizers"]
    code = (
        "import sys, seqlab, seqlab_cli.main as m; m.run(['--help']); m.run(['train', 'lm', '--help']);"
        f"print([name for name in {heavy} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ast.literal_eval(done.stderr.strip().splitlines()[-1]) == []


def test_no_machine_paths_or_registry_addresses_in_tracked_files():
    names = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    forbidden = ["/" + "work/", "/" + "root/", "index" + "-url"]
    for name in names:
        text = (ROOT / name).read_text("utf-8", "replace") if (ROOT / name).is_file() else ""
        assert not [word for word in forbidden if word in text], name


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    source = tmp_path_factory.mktemp("source")
    for name in ("seqlab", "cli", "data", "pyproject.toml", "README.md", "LICENSE"):
        subprocess.run(["cp", "-r", ROOT / name, source], check=True)
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", out, source],
        check=True,
        capture_output=True,
    )
    return next(out.glob("*.whl"))


@pytest.mark.xdist_group("wheel")
def test_wheel_holds_the_three_packages_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"seqlab", "seqlab_cli", "seqlab_data"}
    expected = {
        str(path.relative_to(ROOT / folder)) for folder in ("seqlab",) for path in (ROOT / folder).rglob("*.py")
    }
    assert expected <= {name.removeprefix("seqlab/") for name in names if name.startswith("seqlab/")}
    assert "seqlab/py.typed" in names
    assert "seqlab_data/corpora.toml" in names


@pytest.mark.xdist_group("wheel")
def test_wheel_installs_into_an_empty_environment_and_runs_away_from_the_checkout(wheel, tmp_path):
    """The dependencies are lent by path, the wheel itself is installed for real."""
    home = tmp_path / "env"
    venv.create(home, with_pip=False)
    python = home / "bin" / "python"
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", "--no-index", wheel],
        check=True,
        capture_output=True,
    )
    site = next(home.glob("lib/python*/site-packages"))
    assert {p.name for p in site.iterdir() if not p.name.endswith(".dist-info")} == {
        "seqlab",
        "seqlab_cli",
        "seqlab_data",
    }
    lent = next(path for path in sys.path if path.endswith("site-packages"))
    environment = {"PYTHONPATH": lent, "PATH": "/usr/bin:/bin", "SEQLAB_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(
        [home / "bin" / "seqlab", "data", "list"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "python-docs" in done.stdout
    where = subprocess.run(
        [python, "-c", "import seqlab, seqlab_cli; print(seqlab.__file__)"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(home) in where.stdout


def test_queries_never_wait_for_numba() -> None:
    code = "import sys, seqlab.api, seqlab.embeddings.vectors; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
