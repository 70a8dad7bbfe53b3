"""``promises.toml`` against the tests: each promise is proven by tests that exist and are not
skipped, or says openly what is missing. A promise that is open must not look kept.
"""

import tomllib

import pytest

from node_ids import ROOT, missing

PROMISES = tomllib.loads((ROOT / "tests/promises.toml").read_text(encoding="utf-8"))
SKIPPED = {
    entry["test"]
    for entry in tomllib.loads((ROOT / "tests/skips.toml").read_text(encoding="utf-8")).get(
        "skip", []
    )
}


@pytest.mark.parametrize("promise", PROMISES["promise"], ids=lambda promise: promise["text"][:60])
def test_promise_is_proven_or_openly_open(promise):
    assert set(promise) <= {"text", "tests", "open"}
    assert promise.get("tests") or promise.get("open"), "no test, and no reason why not"
    for nodeid in promise.get("tests", ()):
        assert (why := missing(nodeid)) is None, why
        covered = {nodeid, nodeid.partition("[")[0], nodeid.partition("::")[0]} & SKIPPED
        assert not covered, f"{covered} is skipped: it proves nothing"


def test_no_promise_is_made_twice():
    texts = [promise["text"] for promise in PROMISES["promise"]]
    assert len(texts) == len(set(texts))


def test_open_promises_are_counted():
    count = sum("open" in promise for promise in PROMISES["promise"])
    assert count == PROMISES["open"], f"{count} promises are open; promises.toml says otherwise"
