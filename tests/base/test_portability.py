"""What macOS, Windows, containers and older processors ask of the code, simulated on a machine that is none of them."""

from __future__ import annotations

import errno
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import llvmlite.binding as llvm
import numpy as np
import pytest
import torch
from numba import njit, types

from seqlab import api
from seqlab.base import cores, interrupts
from seqlab.base.compiled import simd
from seqlab.base.errors import SeqlabError
from seqlab.base.files import atomic_file, atomic_folder, load_tensors, replacing, save_tensors
from seqlab.base.storage import held, lock
from seqlab.nn import products

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="simulates other systems on Linux")

TEXT = "the cat sat on the mat .\nthe dog sat on the rug .\na bird sang in the tree .\n" * 60


def in_use(path: str | os.PathLike[str]) -> bool:
    """Whether this process has `path`, or anything inside it, open or mapped."""
    place = os.path.realpath(path)
    names = []
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            names.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        except OSError:
            continue
    with open("/proc/self/maps") as maps:
        names += [line.split(maxsplit=5)[5].strip() for line in maps if line.count("/")]
    return any(name == place or name.startswith(place + os.sep) for name in names)


@pytest.fixture
def windows(monkeypatch):
    """Windows' rules for files: nobody opens a folder, flushes what he may only read, renames onto a folder, or renames
    or deletes what is open or mapped; and the calls that Windows lacks are gone."""
    import fcntl

    plain = {name: getattr(os, name) for name in ("open", "fsync", "replace", "unlink")}

    def open_(path, flags, *rest, **options):
        if os.path.isdir(path) and flags & os.O_TMPFILE != os.O_TMPFILE:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return plain["open"](path, flags, *rest, **options)

    def fsync(descriptor):
        if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, "Bad file descriptor")
        plain["fsync"](descriptor)

    def replace(source, target):
        if os.path.isdir(target) or in_use(source) or in_use(target):
            raise PermissionError(errno.EACCES, "Access is denied", str(source), None, str(target))
        plain["replace"](source, target)

    def unlink(path, **options):
        if in_use(path):
            raise PermissionError(errno.EACCES, "Access is denied", str(path))
        plain["unlink"](path, **options)

    for name, simulated in (("open", open_), ("fsync", fsync), ("replace", replace), ("rename", replace)):
        monkeypatch.setattr(os, name, simulated)
    for name in ("unlink", "remove"):
        monkeypatch.setattr(os, name, unlink)
    for name in ("sched_getaffinity", "umask", "sysconf", "fork"):
        monkeypatch.delattr(os, name)
    monkeypatch.delattr(signal, "SIGKILL")
    monkeypatch.setattr(shutil, "_use_fd_functions", False)
    monkeypatch.setattr(replacing, "WINDOWS", True)
    for module in (held, lock):
        monkeypatch.setattr(module, "fcntl", None)

    def locking(descriptor, mode, length):
        assert (mode, length) == (2, 1)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(LK_NBLCK=2, locking=locking))
    monkeypatch.setattr(replacing, "exchange", lambda one, other: False)


def test_files_and_folders_are_replaced_under_the_rules_of_windows(windows, tmp_path):
    for text in (b"one", b"two"):
        with atomic_file(tmp_path / "a.txt") as handle:
            handle.write(text)
        assert (tmp_path / "a.txt").read_bytes() == text
        with atomic_folder(tmp_path / "folder", "x") as folder:
            (folder / "x").write_bytes(text)
            (folder / "inner").mkdir()
            (folder / "inner" / "y").write_bytes(text)
        assert (tmp_path / "folder" / "inner" / "y").read_bytes() == text
    (tmp_path / "empty").mkdir()
    with atomic_folder(tmp_path / "empty") as folder:
        (folder / "x").write_bytes(b"")
    save_tensors(tmp_path / "t.safetensors", {"a": np.arange(3)})
    save_tensors(tmp_path / "t.safetensors", load_tensors(tmp_path / "t.safetensors")[0])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "empty", "folder", "t.safetensors"]


def test_a_file_that_another_program_has_open_for_a_moment_is_replaced_after_it(windows, tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_text("old")
    reader, waited = path.open(), []

    def wait(seconds):
        waited.append(seconds)
        if len(waited) == 3:
            reader.close()

    monkeypatch.setattr(replacing.time, "sleep", wait)
    with atomic_file(path) as handle:
        handle.write(b"new")
    assert path.read_text() == "new"
    assert waited == list(replacing.RENAME_WAITS[:3])
    sentence = r"a\.txt: cannot be replaced \(access is denied\); close the"
    with path.open(), pytest.raises(SeqlabError, match=sentence), atomic_file(path) as handle:
        handle.write(b"newer")
    assert path.read_text() == "new"
    assert [child.name for child in tmp_path.iterdir()] == ["a.txt"]


def test_the_earlier_folder_comes_back_when_the_new_one_cannot_take_its_place(tmp_path, monkeypatch):
    with atomic_folder(tmp_path / "folder", "x") as folder:
        (folder / "x").write_text("1")
    plain, calls = os.replace, []

    def second_fails(source, target):
        calls.append(target)
        if len(calls) == 2:
            raise OSError(errno.EIO, "Input/output error")
        plain(source, target)

    monkeypatch.setattr(os, "replace", second_fails)
    monkeypatch.setattr(replacing, "exchange", lambda one, other: False)
    with pytest.raises(OSError, match="Input/output"), atomic_folder(tmp_path / "folder", "x") as folder:
        (folder / "x").write_text("2")
    assert (tmp_path / "folder" / "x").read_text() == "1"
    assert [child.name for child in tmp_path.iterdir()] == ["folder"]


@pytest.mark.parametrize("code", [errno.EINVAL, errno.EIO])
def test_only_a_file_system_that_cannot_flush_folders_is_forgiven(code, tmp_path, monkeypatch):
    plain = os.fsync

    def fsync(descriptor):
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):
            raise OSError(code, os.strerror(code))
        plain(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    if code == errno.EIO:
        with pytest.raises(OSError, match="Input/output"), atomic_file(tmp_path / "a"):
            pass
    else:
        with atomic_file(tmp_path / "a"):
            pass


def test_new_files_and_folders_take_the_permissions_that_the_user_gives(tmp_path):
    before = os.umask(0o027)
    try:
        with atomic_file(tmp_path / "a"):
            pass
        with atomic_folder(tmp_path / "b"):
            pass
    finally:
        os.umask(before)
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("a", "b")] == [0o640, 0o750]


def test_the_whole_story_runs_under_the_rules_of_windows(windows, tmp_path):
    """Prepare, train both models, resume, replace the vectors, ask: a map left open would stop a rename here."""
    (tmp_path / "book.txt").write_text(TEXT)
    corpus = api.prepare(tmp_path / "book.txt", tmp_path / "corpus", tokenizer="char")
    words = {"tokenizer": "word", "vocab_size": 50}
    with pytest.raises(SeqlabError, match=r"corpus: cannot be replaced"):  # its tokens are mapped, nothing is lost
        api.prepare(tmp_path / "book.txt", tmp_path / "corpus", **words)
    del corpus
    corpus = api.prepare(tmp_path / "book.txt", tmp_path / "corpus", **words)
    small = {"embed_dim": 8, "hidden_dim": 8, "layers": 1, "batch_size": 4, "bptt": 8, "quiet": True}
    lm = api.train_language_model(corpus, tmp_path / "run", steps=4, **small)
    lm = api.train_language_model(corpus, tmp_path / "run", steps=4, **small)
    assert lm.generate("the cat", length=3, seed=1)
    for seed in (1, 2):
        vectors = api.train_embeddings(
            corpus, out=tmp_path / f"vectors{seed}", dim=8, epochs=1, workers=1, seed=seed, quiet=True
        )
        assert vectors.neighbors("cat", 2)
    del vectors
    again = api.load_vectors(tmp_path / "vectors1")
    assert again.neighbors("cat", 2)


def test_cores_are_the_affinity_or_the_quota_of_a_container(tmp_path, monkeypatch):
    monkeypatch.setattr(cores, "_CORES_AT_START", 8)
    monkeypatch.setattr(cores, "CGROUPS", str(tmp_path))
    assert cores.available_cores() == 8
    for text, expected in (("max 100000", 8), ("100000 100000", 1), ("150000 100000", 2), ("50000 100000", 1), ("", 8)):
        (tmp_path / "cpu.max").write_text(text + "\n")
        assert cores.available_cores() == expected, text
    (tmp_path / "cpu.max").unlink()
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    for granted, expected in (("-1", 8), ("250000", 3)):
        (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(granted)
        assert cores.available_cores() == expected


def test_cores_are_counted_before_openmp_pins_the_thread():
    """And without os.sched_getaffinity, as on macOS and Windows, they are what the system has."""
    count = "; from seqlab.base.cores import available_cores; print(available_cores(), len(os.sched_getaffinity(0)))"
    code = "import os, seqlab, torch; torch.ones(300, 300) @ torch.ones(300, 300)" + count
    environment = {**os.environ, "OMP_PROC_BIND": "true", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    counted, _ = map(int, done.stdout.split())
    assert counted == cores.available_cores()
    code = "import os; del os.sched_getaffinity; from seqlab.base import cores; "
    code += "print(cores._CORES_AT_START == os.cpu_count())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


def test_every_stop_request_of_the_system_sets_the_event_and_handlers_come_back():
    before = [signal.getsignal(number) for number in interrupts.REQUESTS]
    for number in interrupts.REQUESTS:
        with interrupts.interruptible() as stop:
            assert not stop.is_set()
            signal.raise_signal(number)
            assert stop.is_set()
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(number)
    assert [signal.getsignal(number) for number in interrupts.REQUESTS] == before


@pytest.mark.parametrize(
    ("machine", "cpu", "features", "lanes"),
    [
        ("x86_64", None, "+avx,+avx2,+avx512f", 16),
        ("AMD64", None, "+avx,+avx2,-avx512f", 8),
        ("x86_64", None, "+sse2,-avx,-avx2,-avx512f", 4),
        ("x86_64", "haswell", "+avx,+avx2,+avx512f", 8),
        ("x86_64", "alderlake", "+avx,+avx2,+avx512f", 8),
        ("x86_64", "skylake-avx512", "+avx,+avx2,+avx512f", 16),
        ("x86_64", "generic", "", 4),
        ("arm64", None, "+neon", 8),
        ("aarch64", "apple-m1", "", 8),
        ("ppc64le", None, "+vsx", 4),
    ],
)
def test_vectors_are_as_wide_as_the_registers_allow(machine, cpu, features, lanes):
    assert simd.vector_lanes(machine, cpu, features) == lanes


OLDER = pytest.mark.skipif(
    simd.LANES == 8, reason="this processor is no newer, and the test that is run here runs anyway"
)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="compiles for older x86 processors")
@pytest.mark.parametrize(
    ("cpu", "features", "lanes"),
    [
        pytest.param("haswell", "+avx,+avx2,+fma,+bmi,+bmi2", 8, marks=[OLDER, pytest.mark.slow]),
        pytest.param("x86-64", "+sse2", 4, marks=pytest.mark.slow),
    ],
)
def test_kernels_compiled_for_an_older_processor_do_what_the_reference_does(cpu, features, lanes):
    environment = {**os.environ, "NUMBA_CPU_NAME": cpu, "NUMBA_CPU_FEATURES": features, "EXPECTED_LANES": str(lanes)}
    code = (
        "import os, sys, pytest; from seqlab.base.compiled.simd import LANES;"
        "assert LANES == int(os.environ['EXPECTED_LANES']); sys.exit(pytest.main(sys.argv[1:]))"
    )
    test = "test_embeddings.py::test_the_vectors_of_this_processor_train_and_search_as_the_reference_does"
    command = [sys.executable, "-c", code, "-q", "-p", "no:cacheprovider", f"tests/embeddings/{test}"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT)
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_the_kernels_keep_their_sums_in_the_registers_of_apples_processors():
    """Compiled for them from here: LLVM accepts the vectors, multiplies with fused instructions and spills none."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    triple, lanes, rows = "aarch64-apple-darwin", simd.vector_lanes("arm64", None, ""), 6

    @njit
    def tile(out, left, t, right, b, dim):
        simd.multiply_tile(out, left, t, right, b, dim, rows, lanes)

    matrix, blocks = (types.Array(types.float32, axes, "C") for axes in (2, 3))
    tile.compile((matrix, blocks, types.int64, blocks, types.int64, types.int64))
    machine = llvm.Target.from_triple(triple).create_target_machine(cpu="apple-m1", opt=3)
    text = tile.inspect_llvm(tile.signatures[0])
    text = re.sub(r"define [^\n]*@NRT_decref\(.*?\n}\n", "declare void @NRT_decref(ptr)\n", text, flags=re.DOTALL)
    text = re.sub(r'target triple = ".*"', f'target triple = "{triple}"', text)
    text = re.sub(r'target datalayout = ".*"', f'target datalayout = "{machine.target_data}"', text)
    text = re.sub(r"target-(cpu|features)", r"other-\1", text)
    assembly = machine.emit_assembly(llvm.parse_assembly(text))
    loops = [block for block in re.split(r"\n(?:LBB\w+:|; %bb)", assembly) if "fmla" in block]
    assert loops
    for loop in (block.split("\tb.ne\t")[0] for block in loops):
        steps, rest = divmod(loop.count("fmla"), rows * 2 * lanes // 4)
        assert steps >= 1, "several where numba unrolls for the processor of this machine"
        assert rest == 0
        assert not re.search(r"(?:ldr|str|ldp|stp)\s+q[^\n]*\[sp", loop)


@pytest.mark.parametrize(
    ("load", "given", "expected"),
    [
        (2.0, {}, "1000"),
        (0.1, {}, None),
        (2.0, {"GOMP_SPINCOUNT": "7"}, "7"),
        (2.0, {"OMP_WAIT_POLICY": "ACTIVE"}, None),
    ],
)
def test_openmp_sleeps_while_it_waits_on_a_busy_machine_unless_told_otherwise(monkeypatch, load, given, expected):
    monkeypatch.setattr(os, "environ", dict(given))
    monkeypatch.setattr(os, "getloadavg", lambda: (load * os.cpu_count(), 0.0, 0.0), raising=False)
    cores.wait_without_spinning()
    assert os.environ.get("GOMP_SPINCOUNT") == expected


def test_openmp_is_told_before_torch_and_numpy_are_loaded():
    code = "import os; os.getloadavg = lambda: (1e3, 0, 0); import sys, seqlab; "
    code += "print(os.environ.get('GOMP_SPINCOUNT'), 'torch' in sys.modules, 'numpy' in sys.modules)"
    bare = {name: value for name, value in os.environ.items() if name not in (*cores.WAITING, "OMP_WAIT_POLICY")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=bare)
    assert done.stdout == "1000 False False\n", done.stderr


@pytest.mark.parametrize(
    ("quota", "given", "expected"),
    [
        ("150000 100000", {}, "2"),
        ("max 100000", {}, None),
        ("900000 100000", {}, None),
        ("150000 100000", {"OPENBLAS_NUM_THREADS": "5"}, "5"),
    ],
)
def test_numpy_starts_no_more_threads_than_a_quota_grants(tmp_path, monkeypatch, quota, given, expected):
    (tmp_path / "cpu.max").write_text(quota)
    monkeypatch.setattr(cores, "_CORES_AT_START", 8)
    monkeypatch.setattr(cores, "CGROUPS", str(tmp_path))
    monkeypatch.setattr(os, "environ", dict(given))
    cores.keep_numpy_within_quota()
    assert os.environ.get("OPENBLAS_NUM_THREADS") == expected


def test_products_do_without_a_setting_that_older_torch_lacks(monkeypatch):
    monkeypatch.setattr(products, "_settings", lambda: None)
    products.onednn_keeps_float32.cache_clear()
    left, right = torch.randn(64, 64), torch.randn(64, 64)
    try:
        assert not products.onednn_keeps_float32()
        with products.fast_float32():
            torch.testing.assert_close(left @ right, (left.double() @ right.double()).float())
    finally:
        products.onednn_keeps_float32.cache_clear()
