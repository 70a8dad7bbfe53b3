"""The cache of machine code: what it keeps, what it does not trust, and that it never raises."""

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from wengert import cli
from wengert.static.llvm import cache, machine

CONTENT = bytes(range(256)) * 5
KEY, OTHER = "0" * 64, "1" * 64


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty cache that is there already."""
    made = tmp_path / "kept"
    monkeypatch.setenv("WENGERT_CACHE", str(made))
    assert cache.load(KEY) is None
    return made


@pytest.fixture(autouse=True)
def _anew():
    """Folders are looked at again, and what was warned of is said again."""
    cache._usable.cache_clear()
    cache._warned.clear()
    yield
    cache._usable.cache_clear()


def entry(folder, key=KEY):
    return folder / f"{key}{cache.SUFFIX}"


def sizes(folder):
    return sum(path.stat().st_size for path in folder.iterdir())


# --- entries -------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"x", CONTENT, bytes(10**6)], ids=len)
def test_what_is_stored_is_loaded(folder, content):
    cache.store(KEY, content)
    assert cache.load(KEY) == content
    assert cache.load(OTHER) is None
    cache.store(KEY, content + b"more")
    assert cache.load(KEY) == content + b"more"
    assert [path.name for path in folder.iterdir()] == [entry(folder).name]


def test_what_is_kept_is_made_once(folder):
    made = []

    def make():
        made.append(1)
        return CONTENT

    assert cache.kept(KEY, make) == cache.kept(KEY, make) == CONTENT
    assert len(made) == 1


def test_nobody_else_can_read_or_write(folder):
    cache.store(KEY, CONTENT)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert entry(folder).stat().st_mode & 0o077 == 0


def places():
    """Offsets into the magic, the checksum, and the content."""
    start = len(cache.MAGIC) + cache.CHECK
    magic = range(len(cache.MAGIC))
    return [*magic, len(cache.MAGIC), start - 1, start, start + 700, start + len(CONTENT) - 1]


@pytest.mark.parametrize("place", places())
def test_a_damaged_byte_is_found_and_the_entry_written_again(folder, place):
    cache.store(KEY, CONTENT)
    whole = bytearray(entry(folder).read_bytes())
    whole[place] ^= 1
    entry(folder).write_bytes(whole)
    assert cache.load(KEY) is None
    assert cache.kept(KEY, lambda: CONTENT) == cache.load(KEY) == CONTENT


@pytest.mark.parametrize("length", [0, 1, len(cache.MAGIC), *(p + 1 for p in places()[-4:-1])])
def test_a_truncated_entry_is_found(folder, length):
    cache.store(KEY, CONTENT)
    entry(folder).write_bytes(entry(folder).read_bytes()[:length])
    assert cache.load(KEY) is None
    cache.store(KEY, CONTENT)
    assert cache.load(KEY) == CONTENT


@pytest.mark.parametrize("tail", [b"\0", CONTENT])
def test_an_entry_that_is_too_long_is_found(folder, tail):
    cache.store(KEY, CONTENT)
    entry(folder).write_bytes(entry(folder).read_bytes() + tail)
    assert cache.load(KEY) is None


def test_the_entry_of_another_key_is_found(folder):
    cache.store(KEY, CONTENT)
    entry(folder).rename(entry(folder, OTHER))
    assert cache.load(OTHER) is None


def test_a_folder_in_the_place_of_an_entry_is_no_entry(folder):
    entry(folder).mkdir()
    cache.store(KEY, CONTENT)
    assert cache.load(KEY) is None


# --- several processes ---------------------------------------------------------------------------

WORKER = """
import sys
from wengert.static.llvm import cache
from hashlib import blake2b

def content(key):
    return b"".join(blake2b(f"{key} {i}".encode()).digest() for i in range(200))

seed, found = int(sys.argv[1]), 0
for turn in range(300):
    key = f"{(turn * 7 + seed * 3) % 20:064x}"
    got = cache.load(key)
    assert got is None or got == content(key), key
    found += got is not None
    if turn % 3 == 0:
        cache.store(key, content(key))
    if turn % 97 == 0:
        cache.clear()
print(found)
"""


def python(code, *arguments, **environment):
    """A process that runs ``code``."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code, *map(str, arguments)],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def output(process):
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out


def test_processes_that_load_store_and_clear_at_once_see_whole_entries_only(folder):
    workers = [python(WORKER, seed) for seed in range(4)]
    assert all(int(output(worker)) > 0 for worker in workers)
    assert not list(folder.glob(f"{cache.UNFINISHED}*"))


# --- the folder ----------------------------------------------------------------------------------


@pytest.mark.parametrize("off", ["", "0"])
def test_it_can_be_turned_off(monkeypatch, tmp_path, off):
    monkeypatch.setenv("WENGERT_CACHE", off)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cache.store(KEY, CONTENT)
    assert cache.load(KEY) is None
    assert not list(tmp_path.iterdir())
    assert cache.state()[:4] == ("", False, 0, 0)
    assert cache.clear() == 0


def test_it_is_where_caches_are(monkeypatch, tmp_path):
    monkeypatch.delenv("WENGERT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    cache.store(KEY, CONTENT)
    assert entry(tmp_path / "xdg" / "wengert").exists()
    monkeypatch.setenv("XDG_CACHE_HOME", "relative, so not used")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache.load(KEY) is None
    assert cache.state().folder == str(tmp_path / "home" / ".cache" / "wengert")
    monkeypatch.setenv("WENGERT_CACHE", "~/own")
    assert cache.state().folder == str(tmp_path / "home" / "own")


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_folder_that_others_can_write_to_is_refused_with_one_warning(folder, mode):
    cache.store(KEY, CONTENT)
    folder.chmod(mode)
    cache._usable.cache_clear()
    with pytest.warns(RuntimeWarning, match=r"others can write to .*chmod go-w"):
        assert cache.load(KEY) is None
    cache.store(OTHER, CONTENT)  # a second warning would be an error
    assert not entry(folder, OTHER).exists()
    assert not cache.state().usable


def test_a_folder_of_another_user_is_refused_with_one_warning(folder, monkeypatch):
    cache.store(KEY, CONTENT)
    cache._usable.cache_clear()
    monkeypatch.setattr(cache.os, "geteuid", lambda: folder.stat().st_uid + 1)
    with pytest.warns(RuntimeWarning, match="belongs to another user"):
        assert cache.load(KEY) is None
    assert cache.clear() == 0  # a second warning would be an error
    assert entry(folder).exists()


def test_a_folder_that_vanished_costs_the_cache_only(folder):
    folder.rmdir()
    cache.store(KEY, CONTENT)
    assert cache.load(KEY) is None
    assert cache.state().entries == 0


@pytest.mark.parametrize("place", ["/dev/null", "/dev/null/below", "/proc/nowhere/wengert"])
def test_a_place_that_can_be_no_folder_is_no_error(monkeypatch, place):
    monkeypatch.setattr(cache, "_folder", lambda: place)
    cache.store(KEY, CONTENT)
    assert cache.load(KEY) is None
    assert not cache.state().usable


def test_no_home_is_no_error(monkeypatch):
    for name in ("WENGERT_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(cache.os.path, "expanduser", lambda path: path)
    cache.store(KEY, CONTENT)
    assert cache.state().folder == ""


@pytest.mark.parametrize("step", ["replace", "open"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_disk_that_fails_is_no_error_and_leaves_nothing_behind(folder, monkeypatch, step, number):
    def fail(*args, **options):
        raise OSError(number, os.strerror(number))

    cache.store(OTHER, CONTENT)
    with monkeypatch.context() as patch:
        if step == "replace":
            patch.setattr(cache.os, "replace", fail)
        else:
            patch.setattr(cache.tempfile, "mkstemp", fail)
        cache.store(KEY, CONTENT)
    assert cache.load(KEY) is None
    assert [path.name for path in folder.iterdir()] == [entry(folder, OTHER).name]


# --- the bound -----------------------------------------------------------------------------------


def aged(path, hours):
    then = time.time() - 3600 * hours
    os.utime(path, (then, then))


def test_what_was_not_used_for_longest_is_removed_before_the_bound_is_passed(folder, monkeypatch):
    monkeypatch.setenv("WENGERT_CACHE_SIZE", "1")
    keys = [f"{i:064x}" for i in range(60)]
    for i, key in enumerate(keys):
        cache.store(key, bytes(30_000))
        aged(entry(folder, key), 100 - i)
        assert cache.load(keys[0]) is not None  # in use all the time
        assert sizes(folder) <= 10**6
    left = [i for i, key in enumerate(keys) if entry(folder, key).exists()]
    assert left[0] == 0
    assert left[1:] == list(range(left[1], 60))
    assert sizes(folder) > 500_000


def test_a_use_is_noted_once_an_hour(folder):
    cache.store(KEY, CONTENT)
    for hours, noted in ((0.5, False), (2, True)):
        aged(entry(folder), hours)
        before = entry(folder).stat().st_mtime
        assert cache.load(KEY) == CONTENT
        assert (entry(folder).stat().st_mtime != before) is noted


def test_an_entry_larger_than_the_bound_is_not_kept(folder, monkeypatch):
    monkeypatch.setenv("WENGERT_CACHE_SIZE", "1")
    cache.store(KEY, CONTENT)
    cache.store(OTHER, bytes(10**6))
    assert cache.load(OTHER) is None
    assert cache.load(KEY) == CONTENT


@pytest.mark.parametrize("given", ["0", "-1", "many", "1.5"])
def test_a_bound_that_is_none_is_said_once(folder, monkeypatch, given):
    monkeypatch.setenv("WENGERT_CACHE_SIZE", given)
    with pytest.warns(RuntimeWarning, match="expected a number of megabytes: 256"):
        cache.store(KEY, CONTENT)
    assert cache.state().bound == 256 * 10**6  # a second warning would be an error
    assert cache.load(KEY) == CONTENT


def test_only_what_is_its_own_is_removed(folder, monkeypatch):
    monkeypatch.setenv("WENGERT_CACHE_SIZE", "1")
    foreign = folder / "thesis.txt"
    foreign.write_bytes(bytes(2 * 10**6))
    abandoned, current = (folder / f"{cache.UNFINISHED}{name}" for name in "ab")
    for path in (abandoned, current, foreign):
        path.write_bytes(path.read_bytes() if path.exists() else b"x")
    aged(abandoned, 2)
    for i in range(5):
        cache.store(f"{i:064x}", bytes(300_000))
    assert foreign.exists()
    assert current.exists()
    assert not abandoned.exists()
    assert 1 <= cache.clear() <= 3
    assert [path.name for path in folder.iterdir()] == ["thesis.txt"]


# --- keys ----------------------------------------------------------------------------------------


def test_keys_tell_parts_apart_and_stay_the_same():
    keys = [("ab", "c"), ("a", "bc"), ("abc",), ("ab", "c", ""), (b"ab", b"c", b"d")]
    assert len({cache.key_of(*parts) for parts in keys}) == len(keys)
    assert cache.key_of("ab", b"c") == cache.key_of(b"ab", "c")


@pytest.mark.parametrize(
    ("where", "name"),
    [
        ("wengert", "__version__"),
        ("llvmlite", "__version__"),
        ("llvmlite.binding", "llvm_version_info"),
        ("numpy", "__version__"),
        ("sys", "version"),
    ],
)
def test_another_version_has_another_fingerprint(folder, monkeypatch, where, name):
    check_changed(monkeypatch, lambda: monkeypatch.setattr(sys.modules[where], name, "another"))


@pytest.mark.parametrize("name", ["get_host_cpu_name", "get_process_triple"])
def test_another_processor_has_another_fingerprint(folder, monkeypatch, name):
    llvm = sys.modules["llvmlite.binding"]
    check_changed(monkeypatch, lambda: monkeypatch.setattr(llvm, name, lambda: "another"))


def test_another_abi_or_feature_has_another_fingerprint(folder, monkeypatch):
    monkeypatch.setattr(cache.sysconfig, "get_config_var", lambda name: name)
    check_changed(
        monkeypatch,
        lambda: monkeypatch.setattr(cache.sysconfig, "get_config_var", lambda name: name + "d"),
    )
    llvm = sys.modules["llvmlite.binding"]
    features = llvm.get_host_cpu_features()
    fewer = type(features)({**features, next(iter(features)): False})
    more = type(features)({**features, next(iter(features)): True})
    monkeypatch.setattr(llvm, "get_host_cpu_features", lambda: fewer)
    check_changed(
        monkeypatch, lambda: monkeypatch.setattr(llvm, "get_host_cpu_features", lambda: more)
    )


def check_changed(monkeypatch, change):
    fingerprint = cache.fingerprint.__wrapped__
    before = fingerprint()
    assert fingerprint() == before
    change()
    assert fingerprint() != before


def test_an_edit_of_a_source_changes_the_digest_of_all(folder, monkeypatch, tmp_path):
    root = tmp_path / "wengert"
    for name in ("ops/a.py", "static/llvm/b.py", "nn/c.py"):
        (root / name).parent.mkdir(parents=True)
        (root / name).write_text("x = 1\n")
    monkeypatch.setattr(cache, "__file__", str(root / "static" / "llvm" / "cache.py"))
    digests = [cache._sources()]
    for name, text in (
        ("static/llvm/b.py", "x = 2\n"),
        ("ops/a.py", "x = 3\n"),
        ("ops/new.py", ""),
        ("nn/c.py", "of no concern"),
    ):
        (root / name).write_text(text)
        digests.append(cache._sources())
    assert len(set(digests)) == 4
    assert digests[-1] == digests[-2]
    for path in root.rglob("*.py"):
        os.utime(path, (1, 1))
    assert cache._sources() == digests[-1]  # the same content at another time


# --- machine code --------------------------------------------------------------------------------

KERNEL = f"""define i64 @{machine.NAME}_entry(i64 %x) {{
  %y = call i64 @{machine.NAME}_twice(i64 %x)
  ret i64 %y
}}
define internal i64 @{machine.NAME}_twice(i64 %x) noinline {{
  %y = mul i64 %x, FACTOR
  ret i64 %y
}}
"""
MACHINE = f"""
import ctypes, sys
from wengert.static.llvm import machine

if sys.argv[1] == "no":
    def generated(text, vectors=True):
        raise AssertionError(text)
    machine.generated = generated
KERNEL = '''{KERNEL}'''
codes = machine.compiled([KERNEL.replace("FACTOR", str(i)) for i in range(3)])
library = machine.library("seven", lambda: "define i64 @seven() {{ ret i64 7 }}")
function = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)
print([function(address)(5) for _, address in codes], function(library.address("seven"))(0))
"""
PROGRAM = """
import sys
import numpy as np
import wengert
from wengert.static import native

native.SHARE = 0.0
if sys.argv[1] == "no":
    from wengert.static.llvm import machine
    def generated(text, vectors=True):
        raise AssertionError(text)
    machine.generated = generated
f = wengert.compile(wengert.grad(lambda x: np.sum(np.exp(x) * np.sin(x) + x * x)))
for _ in range(5):
    result = f(np.linspace(0, 1, 50))
assert "machine code" in str(f.explain()) and "until machine code pays" not in str(f.explain())
print(result.tobytes().hex())
"""


@pytest.mark.parametrize("code", [MACHINE, PROGRAM], ids=["texts", "program"])
def test_a_second_process_generates_nothing(folder, code):
    first = output(python(code, "yes"))
    assert cache.state().entries > 0
    assert output(python(code, "no")) == first
    cache.clear()
    process = python(code, "no")
    process.communicate(timeout=120)
    assert process.returncode != 0


def test_machine_code_that_was_damaged_is_generated_again(folder):
    output(python(MACHINE, "yes"))
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert output(python(MACHINE, "yes")) == output(python(MACHINE, "no")) == "[0, 5, 10] 7\n"


def test_without_a_cache_machine_code_is_generated_each_time(folder):
    for _ in range(2):
        assert output(python(MACHINE, "yes", WENGERT_CACHE="0")) == "[0, 5, 10] 7\n"
    assert not list(folder.iterdir())


def test_a_load_is_short(folder):
    cache.store(KEY, bytes(4000))
    times = []
    for _ in range(200):
        start = time.perf_counter()
        cache.load(KEY)
        times.append(time.perf_counter() - start)
    assert np.min(times) < 100e-6


# --- the command ---------------------------------------------------------------------------------


def test_the_command_shows_and_clears(folder, capsys):
    for i in range(3):
        cache.store(f"{i:064x}", bytes(100_000))
    assert cli.main(["cache"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown == [
        f"folder    {folder}",
        "entries   3",
        "size      0.3 MB of at most 256 MB",
    ]
    assert cli.main(["cache", "clear"]) == 0
    assert capsys.readouterr().out.splitlines()[:3] == ["removed   3", shown[0], "entries   0"]
    assert not list(folder.iterdir())


def test_the_command_says_where_there_is_none(folder, monkeypatch, capsys):
    folder.chmod(0o777)
    cache._usable.cache_clear()
    with pytest.warns(RuntimeWarning, match="others can write"):
        assert cli.main(["cache", "show"]) == 0
    assert "(cannot be used)" in capsys.readouterr().out
    monkeypatch.setenv("WENGERT_CACHE", "0")
    assert cli.main(["cache", "clear"]) == 0
    assert "the cache is off" in capsys.readouterr().out


def test_the_tests_leave_the_cache_of_the_user_alone():
    assert Path(cache.state().folder).name.startswith("wengert-cache-")
