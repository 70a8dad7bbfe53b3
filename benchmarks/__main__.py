"""The command line: `python -m benchmarks [--only suite,suite] [--threads 1] [--quick]`.

`python -m benchmarks native` is a command of its own: the suite of compiled programs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import report, running
from benchmarks.harness import Settings
from benchmarks.suites import SUITES, native
from benchmarks.targets import judge

RESULTS = Path(__file__).parent / "results"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the suites asked for; return 1 if anything failed or disagreed."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == [native.NAME]:
        return native.main(given[1:])
    options = _options(given)
    settings = _settings(options)
    chosen = [benchmark for name in options.only for benchmark in SUITES[name]()]
    console = running.console()
    load = running.warn_if_busy(console)
    outcomes = running.measure_all(chosen, settings, console)
    verdicts = judge(outcomes)
    report.print_targets(verdicts, console)
    complete = options.only == list(SUITES) and not options.quick
    name = "latest" if complete else "partial"
    name += "-1-thread" if settings.threads == 1 else ""
    facts = running.facts(settings, load)
    for path in report.write(options.output, name, facts, outcomes, verdicts):
        console.print(f"wrote {path.name} in {path.parent.name}", highlight=False)
    return 1 if running.failed(outcomes) else 0


def _settings(options: argparse.Namespace) -> Settings:
    base = running.QUICK if options.quick else Settings()
    rounds = options.rounds or base.rounds
    return Settings(rounds, base.sample_seconds, options.threads)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure wengert beside NumPy by hand, PyTorch, autograd and MyGrad.",
        epilog="python -m benchmarks native --help: compiled programs beside JAX and PyTorch.",
    )
    parser.add_argument(
        "--only",
        type=_suites,
        default=list(SUITES),
        metavar="SUITES",
        help=f"comma-separated suites, of: {', '.join(SUITES)} (default: all)",
    )
    parser.add_argument("--threads", type=int, default=2, help="threads a library may use")
    parser.add_argument("--rounds", type=int, help="samples of each contender")
    parser.add_argument("--quick", action="store_true", help="few, short samples: a trial run")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder for the results")
    return parser.parse_args(arguments)


def _suites(text: str) -> list[str]:
    """Return the names in a comma-separated list, in the order of `SUITES`."""
    names = {name.strip() for name in text.split(",") if name.strip()}
    if unknown := sorted(names - SUITES.keys()):
        raise argparse.ArgumentTypeError(
            f"unknown suite {', '.join(unknown)}; there are: {', '.join(SUITES)}"
        )
    return [name for name in SUITES if name in names]


if __name__ == "__main__":
    sys.exit(main())
