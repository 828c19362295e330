"""The house itself: one direction of imports, a light command line, a clean wheel, no machine paths."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
import typer

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = ROOT / "seqlab"
MOST_FILES = 12
"""Files of a folder."""
ROOMS = """
    base
    config | schedules
    options
    text | nn | visualization
    models | embeddings
    run
    opening
    evaluation | generation
    training
    api
"""
"""THE list of rooms: each line imports only from lines above it. Rooms of a line do not import one another."""
SUBROOMS = {
    "config": "names settings groups checks presets book",
    "text": "workers python_docs sources tokenizers ids preparation inspection",
    "nn": "products dropout zoneout characters kernels cells outputs",
    "embeddings": "material engines queries folder evaluation vectors formats training",
    "training": "distributed budget presets optimize step graphs watch starts planning state loop report train",
    "visualization": "choices output style page picture maps curves",
}
"""The same inside a room: a file or folder imports only from those before it."""
RANK = {room: rank for rank, line in enumerate(ROOMS.strip().splitlines()) for room in line.replace("|", " ").split()}
FILES = sorted(LIBRARY.rglob("*.py"))


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in FILES}


def imports(path: Path) -> set[str]:
    """Modules of seqlab that a file imports, wherever in it and for whatever use, type checking included."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            name = ".".join([*base, *([node.module] if node.module else [])])
            found |= {full if (full := f"{name}.{alias.name}") in MODULES else name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    assert not any(name.split(".")[0] in ("cli", "data", "seqlab_cli") for name in found), path
    return {name for name in found if name.split(".")[0] == "seqlab"} - {"seqlab", module_of(path)}


IMPORTS = {name: imports(path) for name, path in MODULES.items()}


@pytest.mark.parametrize("name", [name for name in MODULES if name != "seqlab"])
def test_a_room_imports_only_from_its_left(name):
    room = name.split(".")[1]
    for other in (imported.split(".")[1] for imported in IMPORTS[name]):
        assert other == room or RANK[other] < RANK[room], f"{name} imports {other}"


@pytest.mark.parametrize("room", SUBROOMS)
def test_no_arrow_runs_back_inside_a_room(room):
    rank = {part: place for place, part in enumerate(SUBROOMS[room].split())}
    inside = {name: name.split(".")[2] for name in MODULES if name.startswith(f"seqlab.{room}.")}
    assert set(inside.values()) == set(rank), "SUBROOMS names every file and folder of a room"
    for name, part in inside.items():
        for imported in IMPORTS[name]:
            other = inside.get(imported, part)
            assert rank[other] <= rank[part], f"{name} imports {imported}"


def test_no_file_imports_itself_in_a_circle():
    remaining = {name: set(names) for name, names in IMPORTS.items() if MODULES[name].name != "__init__.py"}
    while free := [name for name, names in remaining.items() if not names & remaining.keys()]:
        for name in free:
            del remaining[name]
    assert not remaining, f"these files import one another in circles: {sorted(remaining)}"


@pytest.mark.parametrize("top", ["seqlab", "cli", "tests"])
def test_no_folder_holds_more_than_a_dozen_files(top):
    folders = {path.parent for path in (ROOT / top).rglob("*.py")}
    full = {folder: count for folder in folders if (count := len(list(folder.glob("*.py")))) > MOST_FILES}
    assert not full


def test_every_package_is_listed_and_explained():
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["packages"]
    folders = {module_of(path) for path in FILES if path.name == "__init__.py"}
    commands = {
        ".".join(("seqlab_cli", *path.relative_to(ROOT / "cli").parent.parts))
        for path in (ROOT / "cli").rglob("__init__.py")
    }
    assert sorted(packages) == sorted({*folders, *commands, "seqlab_data"})
    assert {path.parent for path in FILES} == {path.parent for path in FILES if path.name == "__init__.py"}
    for path in FILES:
        assert ast.get_docstring(ast.parse(path.read_text("utf-8"))), path


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
    lent = str(Path(typer.__file__).parents[1])
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
