"""`python -m pacs_tui` is the same command as `pacs-tui`."""

import sys

from pacs_tui.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
