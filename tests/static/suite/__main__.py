"""``python -m tests.static.suite [name …]``: the verdict on each program, and the counts."""

import sys

import wengert as wg

from . import CASES
from .judge import judge, summary


def main(names: list[str]) -> int:
    if not hasattr(wg, "compile"):
        print("wengert.compile is not built yet")
        return 2
    verdicts = [judge(CASES[name], wg.compile) for name in names or CASES]
    for verdict in verdicts:
        mark = " " if verdict.fits else "!"
        print(f"{mark} {verdict.status:10} {verdict.name}  {verdict.detail}".rstrip())
    print(", ".join(f"{count} {status}" for status, count in summary(verdicts).items()))
    return 0 if all(verdict.fits for verdict in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
