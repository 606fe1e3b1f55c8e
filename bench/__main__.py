"""`make bench`: every pair, one after the other; or those that are named: `python -m bench find start`."""

from __future__ import annotations

import importlib
import os
import sys

SUBJECTS = ("find", "start")


def main() -> int:
    wanted = sys.argv[1:] or SUBJECTS
    unknown = [name for name in wanted if name not in SUBJECTS]
    if unknown:
        print(f"There is no benchmark {unknown[0]!r}; known are {', '.join(SUBJECTS)}.", file=sys.stderr)
        return 2
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}. Only ratios of one run mean anything.")
    for name in wanted:
        importlib.import_module(f"bench.{name}").run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
