"""The ledger of skips holds: its entries exist, and the hooks of ``conftest.py`` enforce it."""

import tomllib

import pytest

from node_ids import ROOT, missing

LEDGER = tomllib.loads((ROOT / "tests/skips.toml").read_text(encoding="utf-8"))


def test_entries_have_reasons_and_name_tests_that_exist():
    tests = [entry["test"] for entry in LEDGER.get("skip", [])]
    assert len(tests) == len(set(tests))
    assert len(tests) <= LEDGER["cap"]
    for entry in LEDGER.get("skip", []):
        assert entry["reason"].strip()
        assert (why := missing(entry["test"])) is None, why


SAMPLES = {
    "a listed skip passes": (
        'cap = 1\n[[skip]]\ntest = "test_a.py::test_a"\nreason = "r"',
        "@pytest.mark.skip\ndef test_a(): pass",
        False,
        "skips: 1 of at most 1",
    ),
    "an unlisted skip fails": (
        "cap = 1\nskip = []",
        "@pytest.mark.skip\ndef test_a(): pass",
        True,
        "without an entry in tests/skips.toml",
    ),
    "an unlisted skip of a module fails": (
        "cap = 1\nskip = []",
        "pytest.skip('no', allow_module_level=True)",
        True,
        "without an entry in tests/skips.toml",
    ),
    "an unlisted expected failure fails": (
        "cap = 1\nskip = []",
        "@pytest.mark.xfail\ndef test_a(): assert False",
        True,
        "without an entry in tests/skips.toml",
    ),
    "more skips than the cap fail": (
        'cap = 1\n[[skip]]\ntest = "test_a.py"\nreason = "r"',
        "@pytest.mark.parametrize('n', [1, 2])\ndef test_a(n): pytest.skip('no')",
        True,
        "more skips than",
    ),
    "a stale entry is named": (
        'cap = 1\n[[skip]]\ntest = "test_a.py"\nreason = "r"',
        "def test_a(): pass",
        False,
        "test_a.py runs now",
    ),
}


@pytest.mark.parametrize(
    ("name", "workers"),
    [(name, 0) for name in SAMPLES]
    + [("an unlisted skip of a module fails", 1), ("more skips than the cap fail", 1)],
)
def test_the_hooks(name, workers, pytester):
    ledger, tests, fails, message = SAMPLES[name]
    pytester.makeconftest((ROOT / "tests/conftest.py").read_text(encoding="utf-8"))
    pytester.path.joinpath("skips.toml").write_text(ledger)
    pytester.makepyfile(test_a=f"import pytest\n{tests}\n")
    result = pytester.runpytest("-n", str(workers), "-p", "no:cacheprovider")
    assert message in result.stdout.str()
    assert (result.ret != 0) == fails
