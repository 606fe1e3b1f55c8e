"""`make bench`: every subject, one after the other; or those that are named: `python -m bench store query --quick`."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import time

from bench.bench import opened
from pacs_tui.errors import PacsError

SUBJECTS = ("start", "echo", "store", "query", "find", "move", "index")


def main() -> int:
    """Measure; the exit code says nothing about speed, only whether all could be measured."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("subject", nargs="*", help=f"of {', '.join(SUBJECTS)}; all where none is named")
    parser.add_argument("--quick", action="store_true", help="smaller amounts and fewer rounds")
    parser.add_argument("--only", default="", metavar="TEXT", help="rows whose names hold this text")
    parser.add_argument("--rounds", type=int, default=0, metavar="N", help="rounds of every pair")
    args = parser.parse_args()
    unknown = [name for name in args.subject if name not in SUBJECTS]
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}; known are {', '.join(SUBJECTS)}")
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}. Only ratios of one run mean anything.")
    began = time.monotonic()
    failed = 0
    with opened(args.quick, args.only, args.rounds) as bench:
        for name in args.subject or SUBJECTS:
            try:
                importlib.import_module(f"bench.{name}").run(bench)
            except (AssertionError, RuntimeError, PacsError) as error:
                # the figures of the others are worth having
                failed += 1
                print(f"\n{name}: CANNOT BE MEASURED: {error}", flush=True)
        bench.targets.show()
    print(f"{(time.monotonic() - began) / 60:.1f} minutes.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
