"""`--study`, `--series`, `--instance`: how a verb is told what to move or fetch."""

from __future__ import annotations

import argparse

from pacs_tui.errors import UsageError
from pacs_tui.model.level import Level
from pacs_tui.model.transfer import Target


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--patient", metavar="ID", default="", help="every study of this patient")
    parser.add_argument("--study", metavar="UID", action="append", default=[], help="may be given several times")
    parser.add_argument("--series", metavar="UID", action="append", default=[], help="of the one --study")
    parser.add_argument(
        "--instance", metavar="UID", action="append", default=[], help="of the one --study and --series"
    )


def targets(args: argparse.Namespace) -> list[Target]:
    """What the options name; UsageError where they do not fit together or are no UIDs."""
    studies, series, instances = args.study, args.series, args.instance
    if args.patient:
        if studies or series or instances:
            raise UsageError("Give --patient, or --study; not both.")
        return [Target(Level.PATIENT, args.patient)]
    if not studies:
        raise UsageError("Say what: --study UID (and --series, --instance), or --patient ID.")
    if len(studies) > 1 and (series or instances):
        raise UsageError("--series and --instance need exactly one --study.")
    if instances:
        if len(series) != 1:
            raise UsageError("--instance needs exactly one --series.")
        return [Target(Level.IMAGE, "", studies[0], series[0], tuple(instances))]
    if series:
        return [Target(Level.SERIES, "", studies[0], uid) for uid in series]
    return [Target(Level.STUDY, "", uid) for uid in studies]
