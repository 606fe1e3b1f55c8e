"""A sender as a process of its own, to be stopped and continued: `python -m tests.faults.lone_sender PORT COUNT`.

Prints the number of each instance that was acknowledged.
"""

from __future__ import annotations

import sys

from tests.faults import wire
from tests.faults.instances import Made
from tests.faults.serving import TITLE

SENDER, PIXELS = 9, 200_000


def main(port: int, count: int) -> int:
    with wire.Line(port, TITLE) as line:
        for number in range(count):
            made = Made(SENDER, number, PIXELS)
            if line.ask(wire.store(made.uid, made.data())).status != wire.SUCCESS:
                return 1
            print(number, flush=True)
        line.release()
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
