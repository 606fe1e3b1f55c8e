"""`pacs-tui archive`: the verbs of the archive."""

from __future__ import annotations

import argparse

from pacs_tui.cli import archive_conflicts, archive_rebuild, archive_serve, archive_status

_PARTS = (archive_serve, archive_status, archive_conflicts, archive_rebuild)


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("archive", help="be an archive: storage, query, retrieve")
    verbs = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for part in _PARTS:
        part.add_parser(verbs)
