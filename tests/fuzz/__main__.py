"""``python -m tests.fuzz --programs 100000 --seed 0``: drawn programs in every mode, for as long as
it takes.
"""

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fuzz.campaign import main
from fuzz.trial import MODES

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--programs", type=int, default=1000, help="how many")
    parser.add_argument("--seed", type=int, default=0, help="of the first; the others follow")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--modes", nargs="*", choices=list(MODES), default=[], help="default: all")
    options = parser.parse_args()
    sys.exit(main(options.programs, options.seed, options.processes, options.modes))
