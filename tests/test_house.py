"""The house itself: one direction of imports, a light command line, a clean wheel, no machine paths."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from functools import cache
from pathlib import Path

import pytest
import typer

pytestmark = pytest.mark.xdist_group("house")  # one process parses the files, not each
ROOT = Path(__file__).resolve().parents[1]
LIBRARY = ROOT / "seqlab"
MOST_FILES = 12
"""Files of a folder."""
ROOMS = """
    base
    config | schedules
    options
    catalogue | diagnosis
    text | nn | visualization
    models | embeddings
    run
    opening
    evaluation | generation
    training
    autoencoders
    trained
    studies | compression
    api
"""
"""THE list of rooms: each line imports only from lines above it. Rooms of a line do not import one another."""
SUBROOMS = {
    "catalogue": "docstrings sources python_docs corpora fetch",
    "config": "names settings arguments explicit groups checks presets book",
    "text": "workers scripts sources tokenizers ids preparation inspection",
    "nn": "products dropout zoneout characters kernels packed cells outputs",
    "embeddings": "packed material engines queries folder evaluation vectors formats vectorizer training",
    "training": "distributed budget presets optimize step watch machine starts state loop language_model starter "
    "planning report train",
    "studies": "check tune compare",
    "compression": "models onnx vectors",
    "visualization": "choices output style page picture labels charts maps curves",
}
"""The same inside a room: a file or folder imports only from those before it."""
RANK = {room: rank for rank, line in enumerate(ROOMS.strip().splitlines()) for room in line.replace("|", " ").split()}
FILES = sorted(LIBRARY.rglob("*.py"))


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in FILES}


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def imports(path: Path) -> set[str]:
    """Modules of seqlab that a file imports, wherever in it and for whatever use, type checking included."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    found = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            name = ".".join([*base, *([node.module] if node.module else [])])
            found |= {full if (full := f"{name}.{alias.name}") in MODULES else name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    assert not any(name.split(".")[0] in ("cli", "data", "seqlab_cli") for name in found), path
    return {name for name in found if name.split(".")[0] == "seqlab"} - {"seqlab", module_of(path)}


@cache
def all_imports() -> dict[str, set[str]]:
    """What every module imports of seqlab."""
    return {name: imports(path) for name, path in MODULES.items()}


@pytest.mark.parametrize("room", RANK)
def test_a_room_imports_only_from_its_left(room):
    inside = [name for name in MODULES if name.split(".")[1:2] == [room]]
    assert inside
    for name in inside:
        for other in (imported.split(".")[1] for imported in all_imports()[name]):
            assert other == room or RANK[other] < RANK[room], f"{name} imports {other}"


@pytest.mark.parametrize("room", SUBROOMS)
def test_no_arrow_runs_back_inside_a_room(room):
    rank = {part: place for place, part in enumerate(SUBROOMS[room].split())}
    inside = {name: name.split(".")[2] for name in MODULES if name.startswith(f"seqlab.{room}.")}
    assert set(inside.values()) == set(rank), "SUBROOMS names every file and folder of a room"
    for name, part in inside.items():
        for imported in all_imports()[name]:
            other = inside.get(imported, part)
            assert rank[other] <= rank[part], f"{name} imports {imported}"


def test_no_file_imports_itself_in_a_circle():
    remaining = {name: set(names) for name, names in all_imports().items() if MODULES[name].name != "__init__.py"}
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
        assert ast.get_docstring(tree_of(path)), path


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
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, source)
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
    assets = {path.name for path in (ROOT / "seqlab" / "visualization" / "assets").iterdir()}
    assert assets == {Path(name).name for name in names if name.startswith("seqlab/visualization/assets/")}
    assert "seqlab_data/corpora.toml" in names


@pytest.mark.xdist_group("wheel")
def test_wheel_installs_into_an_empty_environment_and_runs_away_from_the_checkout(wheel, tmp_path):
    """The dependencies are lent by path, the wheel itself is installed for real."""
    home = tmp_path / "env"
    venv.create(home, with_pip=False)
    programs = home / ("Scripts" if os.name == "nt" else "bin")
    python = programs / ("python.exe" if os.name == "nt" else "python")
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", "--no-index", wheel],
        check=True,
        capture_output=True,
    )
    site = next(home.rglob("site-packages"))
    assert {p.name for p in site.iterdir() if not p.name.endswith(".dist-info")} == {
        "seqlab",
        "seqlab_cli",
        "seqlab_data",
    }
    lent = str(Path(typer.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": lent, "SEQLAB_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(
        [programs / "seqlab", "data", "list"],
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


def test_queries_and_opening_a_run_never_wait_for_numba() -> None:
    code = "import sys, seqlab.api, seqlab.embeddings.vectors, seqlab.run; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@cache
def parsed(*tops: str) -> dict[Path, ast.Module]:
    return {path: tree_of(path) for top in tops for path in sorted((ROOT / top).rglob("*.py"))}


def test_one_class_name_means_one_thing():
    places: dict[str, list[str]] = {}
    for path, tree in parsed("seqlab", "cli").items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(str(path.relative_to(ROOT)))
    assert {name: files for name, files in places.items() if len(files) > 1} == {}


@pytest.mark.parametrize(
    "name", ["printable", "resolve_device", "unigram_log_probs", "LOSSES", "PARTS", "TUNING_TOKENS"]
)
def test_what_is_needed_in_several_rooms_is_written_once(name):
    places = []
    for path, tree in parsed("seqlab", "cli").items():
        for node in tree.body:
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            names = {target.id for target in targets if isinstance(target, ast.Name)} | {getattr(node, "name", "")}
            if name in names:
                places.append(str(path.relative_to(ROOT)))
    if name == "LOSSES":  # one table for each engine, the reference included, and their tests prove them equal
        assert {place.split("/")[2] for place in places} == {"engines"}
    else:
        assert len(places) <= 1, places


IMPORT_NAMES = {"scikit-learn": {"sklearn"}, "mkdocs-material": {"mkdocs", "material"}}
"""What a package is imported as, where its name does not say it."""
OFFERED = {"IPython", "gensim", "onnx", "onnxruntime", "optuna", "pandas"}
"""Used where a person has them, and never needed."""


def required(*extras: str) -> set[str]:
    """Import names of the packages that pyproject requires, and those of some extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [*project["dependencies"], *(one for extra in extras for one in project["optional-dependencies"][extra])]
    names = {re.split(r"[\[<>=!~; ]", one)[0] for one in wanted}
    return set().union(*(IMPORT_NAMES.get(name, {name.replace("-", "_")}) for name in names))


def third_party(*tops: str) -> set[str]:
    """Names of other people's packages that files import, wherever in them."""
    found = set()
    for tree in parsed(*tops).values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                found.add(node.module.split(".")[0])
    own = {"seqlab", "seqlab_cli", "seqlab_data", "benchmarks", *(path.stem for path in (ROOT / "tests").rglob("*.py"))}
    return found - set(sys.stdlib_module_names) - own


def test_what_is_imported_is_required_and_what_is_required_is_imported():
    assert third_party("seqlab", "cli", "data") - OFFERED == required()
    assert third_party("tests") - required() - OFFERED <= required("test", "docs") | {"mypy", "ruff"}


def test_every_requirement_has_a_lowest_version_and_a_tested_one():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    lines = [line for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines() if not line.startswith("#")]
    tested = dict(line.split("==") for line in lines)
    tested = {canonical(name): tuple(map(int, re.findall(r"\d+", version)[:3])) for name, version in tested.items()}
    for one in wanted:
        if one.startswith("seqlab["):
            continue
        name, lowest = re.fullmatch(r"([\w-]+)(?:\[\w+\])?>=([\d.]+)(?:; .*)?", one).groups()
        assert tested[canonical(name)] >= tuple(map(int, lowest.split("."))), one


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_smoke_tests_exist_and_reach_every_folder_of_tests():
    lines = (ROOT / "tests" / "smoke.txt").read_text("utf-8").split()
    for line in lines:
        path, _, name = line.partition("::")
        assert (ROOT / path).exists(), line
        if name:
            tests = {getattr(node, "name", "") for node in tree_of(ROOT / path).body}
            assert name.split("[")[0] in tests, line
    rooms = {ROOT.joinpath(*path.relative_to(ROOT).parts[:2]) for path in (ROOT / "tests").glob("*/**/test_*.py")}
    reached = {ROOT.joinpath(*Path(line.split("::")[0]).parts[:2]) for line in lines}
    assert rooms - reached <= {ROOT / "tests" / "docs", ROOT / "tests" / "golden"}
