"""What every test run has: random seeds, hypothesis profiles, a cache of machine code, the ledger
of skips.

A test that is skipped, or expected to fail, proves nothing. Each needs an entry in ``skips.toml``
with its reason; without one it fails. Their number is printed at the end of a run and capped there.
"""

import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import settings

pytest_plugins = ["pytester"]

LEDGER = Path(__file__).with_name("skips.toml")

settings.register_profile("default", deadline=None, derandomize=True)
settings.register_profile("fuzz", deadline=None, max_examples=2000)
settings.load_profile("default")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seeds", type=int, default=100, help="random seeds for tests marked `fuzz`")


@pytest.fixture
def seeds(request: pytest.FixtureRequest) -> range:
    """The seeds that a randomised test draws its cases from: 100, or what ``--seeds`` says."""
    return range(request.config.getoption("--seeds"))


@dataclass
class Ledger:
    """The skips that ``skips.toml`` allows, and those that this run has seen."""

    cap: int
    reasons: dict[str, str]
    skipped: set[str] = field(default_factory=set)
    ran: set[str] = field(default_factory=set)

    @classmethod
    def read(cls, path: Path) -> "Ledger":
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        return cls(
            content["cap"], {entry["test"]: entry["reason"] for entry in content.get("skip", [])}
        )

    def entry(self, nodeid: str) -> str | None:
        """The entry that covers ``nodeid``: itself, its test without parameters, or its file."""
        shorter = {nodeid, nodeid.partition("[")[0], nodeid.partition("::")[0]}
        return next((test for test in self.reasons if test in shorter), None)

    def check(self, report: pytest.CollectReport | pytest.TestReport) -> None:
        """Turn a skip without an entry into a failure that says what to do."""
        if report.outcome == "skipped" and self.entry(report.nodeid) is None:
            report.outcome = "failed"
            vars(report).pop("wasxfail", None)
            report.longrepr = (
                f"{report.nodeid} is skipped, or fails as expected, without an entry in "
                f"tests/skips.toml: {report.longrepr}"
            )

    def note(self, report: pytest.CollectReport | pytest.TestReport) -> None:
        if report.outcome == "skipped":
            self.skipped.add(report.nodeid)
        elif report.outcome == "passed" and getattr(report, "when", None) == "call":
            self.ran.add(report.nodeid)

    def stale(self) -> list[str]:
        """Entries whose tests ran in this session, none of them skipped."""
        skipped = {self.entry(nodeid) for nodeid in self.skipped}
        return sorted({e for nodeid in self.ran if (e := self.entry(nodeid))} - skipped)


LEDGER_KEY = pytest.StashKey[Ledger]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[LEDGER_KEY] = ledger = Ledger.read(LEDGER)
    config.pluginmanager.register(Recorder(ledger), "skips")
    if not hasattr(config, "workerinput"):
        use_empty_cache(config)


def use_empty_cache(config: pytest.Config) -> None:
    """Machine code is kept for this run only, which its processes share; the user's is let be."""
    folder = tempfile.TemporaryDirectory(prefix="wengert-cache-", ignore_cleanup_errors=True)
    config.add_cleanup(folder.cleanup)
    patch = pytest.MonkeyPatch()
    config.add_cleanup(patch.undo)
    patch.setenv("WENGERT_CACHE", folder.name)


class Recorder:
    """The hooks: in every worker a skip is checked, in the main process all of them are counted."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Iterator[None]:
        report = yield
        self.ledger.check(report)
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self) -> Iterator[None]:
        report = yield
        self.ledger.check(report)
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.ledger.note(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self.ledger.note(report)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if len(self.ledger.skipped) > self.ledger.cap and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        skipped, cap = self.ledger.skipped, self.ledger.cap
        terminalreporter.write_line(f"skips: {len(skipped)} of at most {cap} (tests/skips.toml)")
        if len(skipped) > cap:
            terminalreporter.write_line("ERROR: more skips than tests/skips.toml allows", red=True)
        for entry in self.ledger.stale():
            terminalreporter.write_line(f"skips: {entry} runs now: remove its entry", yellow=True)
