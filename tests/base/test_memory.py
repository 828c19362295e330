"""How much memory is left, wherever a limit comes from, and the sentence for what needs more."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest

from seqlab.base.errors import InputError
from seqlab.base.resources import memory


def control_group(folder, version, limit, used, inactive):
    """The files in which Linux tells a container about its memory."""
    folder = folder / "memory" if version == 1 else folder
    folder.mkdir(parents=True)
    names = ("memory.limit_in_bytes", "memory.usage_in_bytes") if version == 1 else ("memory.max", "memory.current")
    for name, value in zip(names, (limit, used), strict=True):
        (folder / name).write_text(f"{value}\n")
    key = "total_inactive_file" if version == 1 else "inactive_file"
    (folder / "memory.stat").write_text(f"anon 5\n{key} {inactive}\n")


@pytest.mark.parametrize("version", [1, 2])
def test_a_containers_memory_is_what_is_left_of_its_limit(monkeypatch, tmp_path, version):
    free = memory.free_memory()
    assert free is not None
    monkeypatch.setattr(memory, "CGROUPS", str(tmp_path / "none"))
    assert memory.free_memory() > 10**7
    control_group(tmp_path / "small", version, 10**7, 9 * 10**6, 4 * 10**6)
    monkeypatch.setattr(memory, "CGROUPS", str(tmp_path / "small"))
    assert memory.free_memory() == 5 * 10**6
    control_group(tmp_path / "full", version, 10**7, 11 * 10**6, 0)
    monkeypatch.setattr(memory, "CGROUPS", str(tmp_path / "full"))
    assert memory.free_memory() == 0
    control_group(tmp_path / "unlimited", version, "max" if version == 2 else 2**63 - 4096, 10**6, 0)
    monkeypatch.setattr(memory, "CGROUPS", str(tmp_path / "unlimited"))
    assert memory.free_memory() > 10**7


@pytest.mark.parametrize("version", [1, 2])
def test_a_limit_of_the_processs_own_group_counts_and_so_does_one_of_a_group_above(monkeypatch, tmp_path, version):
    monkeypatch.setattr(memory, "CGROUPS", str(tmp_path / "root"))
    own = tmp_path / "own"
    own.write_text("0::/slice/job\n" if version == 2 else "7:cpu:/\n4:memory:/slice/job\n0::/\n")
    monkeypatch.setattr(memory, "OWN_GROUPS", str(own))
    root = tmp_path / "root" / ("" if version == 2 else "memory")
    (root / "slice" / "job").mkdir(parents=True)
    if version == 2:
        (root / "cgroup.controllers").write_text("cpu memory\n")
    limits(root / "slice" / "job", version, 9 * 10**6, 10**6)
    assert memory.free_memory() == 8 * 10**6
    limits(root / "slice", version, 5 * 10**6, 2 * 10**6)
    assert memory.free_memory() == 3 * 10**6


def limits(folder, version, limit, used):
    """Write a limit as the kernel shows it."""
    names = ("memory.limit_in_bytes", "memory.usage_in_bytes") if version == 1 else ("memory.max", "memory.current")
    for name, value in zip(names, (limit, used), strict=True):
        (folder / name).write_text(f"{value}\n")
    (folder / "memory.stat").write_text("anon 5\n")


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells how much address space is in use")
def test_a_limit_of_address_space_counts():
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (10**9, 10**9));"
        "from seqlab.base.resources.memory import free_memory; print(free_memory())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 0 < int(done.stdout) < 10**9


def test_the_sentence_says_what_is_needed_what_is_left_and_what_to_lower():
    with pytest.raises(InputError) as caught:
        memory.check_memory("a tower", 5.2e12, "build a smaller one", 3 * 10**8)
    assert str(caught.value) == (
        "a tower would need about 5.2 TB of memory, of which 300 MB are left; build a smaller one."
    )
    memory.check_memory("a hut", 10, "build none", 10)


def test_a_system_that_does_not_tell_refuses_nothing(monkeypatch):
    monkeypatch.setattr(memory, "CGROUPS", "/nowhere")
    monkeypatch.setattr(memory, "_system_memory", lambda: None)
    monkeypatch.setattr(memory, "_address_space", lambda: None)
    assert memory.free_memory() is None
    memory.check_memory("anything", 1e30, "-")


@pytest.mark.parametrize(
    ("size", "words"), [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (12_345_678, "12 MB"), (3e15, "3,000 TB")]
)
def test_bytes_are_shown_as_people_say_them(size, words):
    assert memory.shown_bytes(size) == words


def test_windows_is_asked_for_its_memory(monkeypatch):
    """GlobalMemoryStatusEx fills 64 bytes: available physical memory are the eight from 16."""
    import ctypes

    class Kernel:
        @staticmethod
        def GlobalMemoryStatusEx(pointer):
            status = ctypes.cast(pointer, ctypes.POINTER(ctypes.c_uint8 * 64)).contents
            assert int.from_bytes(bytes(status[:4]), "little") == 64
            status[16:24] = list((3 * 10**9).to_bytes(8, "little"))
            return 1

    class Libraries:
        kernel32 = Kernel

    monkeypatch.setattr(ctypes, "windll", Libraries, raising=False)
    assert memory._windows_memory() == 3 * 10**9


def test_windows_has_a_function_of_its_own(monkeypatch):
    monkeypatch.setattr(memory, "os", SimpleNamespace(name="nt"))
    monkeypatch.setattr(memory, "_windows_memory", lambda: 77)
    assert memory._system_memory() == 77
