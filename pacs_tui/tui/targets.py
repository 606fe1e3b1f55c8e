"""What rows of the tree mean for a transfer: targets, a label for people, and the same thing as a command line."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from pacs_tui.model import text
from pacs_tui.model.level import Level
from pacs_tui.model.transfer import Target
from pacs_tui.tui.tree import Row


def target(row: Row) -> Target:
    """The target of a study, series or instance row. Raises UsageError for what is no UID."""
    uid = {
        level: found.match.uid.strip(" \0")
        for level in (Level.STUDY, Level.SERIES, Level.IMAGE)
        if (found := row.ancestor(level)) is not None
    }
    patient = row.ancestor(Level.PATIENT)
    return Target(
        row.level,
        patient.match.get("PatientID").strip() if patient else "",
        uid.get(Level.STUDY, ""),
        uid.get(Level.SERIES, ""),
        (uid[Level.IMAGE],) if Level.IMAGE in uid else (),
    )


def targets(rows: Iterable[Row]) -> tuple[Target, ...]:
    """What the rows show: a patient stands for the studies listed below it, never for others it may have."""
    found: dict[Target, None] = {}
    for row in rows:
        for part in row.children if row.level is Level.PATIENT else (row,):
            found[target(part)] = None
    return tuple(found)


def label(rows: Sequence[Row]) -> str:
    """Whose they are and what: `MEIER^ANNA CT`, `MEIER^ANNA, 3 studies`, `4 patients, 7 studies`."""
    patients = list({row.key[:1]: row.ancestor(Level.PATIENT) for row in rows}.values())
    parts = [part for row in rows for part in (row.children if row.level is Level.PATIENT else [row])]
    amount = counted(parts)
    if len(patients) != 1 or patients[0] is None:
        return f"{len(patients)} patients, {amount}"
    name = text.person_name(patients[0].match.get("PatientName")) or "(no name)"
    if len(parts) == 1:
        return f"{name} {_modality(parts[0])}".strip()
    return f"{name}, {amount}"


def counted(rows: Sequence[Row]) -> str:
    """How many of each level: `2 studies, 1 series`."""
    words = {Level.PATIENT: ("patient", "patients"), Level.STUDY: ("study", "studies"),
             Level.SERIES: ("series", "series"), Level.IMAGE: ("instance", "instances")}  # fmt: skip
    numbers = {level: sum(row.level is level for row in rows) for level in Level}
    return ", ".join(f"{n} {words[level][n != 1]}" for level, n in numbers.items() if n)


def move_command(source: str, destination: str, wanted: Sequence[Target]) -> str:
    """The command lines that move the targets: studies together, each series and instance on a line of its own."""
    start = ["pacs-tui", "move", source, destination or "DESTINATION"]
    studies = [word for one in wanted if one.level is Level.STUDY for word in ("--study", one.study_uid)]
    commands = [start + studies] if studies else []
    for one in wanted:
        if one.level is not Level.STUDY:
            instances = [word for uid in one.instance_uids for word in ("--instance", uid)]
            commands.append([*start, "--study", one.study_uid, "--series", one.series_uid, *instances])
    return "\n".join(shlex.join(command) for command in commands)


def find_command(node: str, line: str) -> str:
    """The command line that asks the same question."""
    return shlex.join(["pacs-tui", "find", node, *([line] if line else [])])


def _modality(row: Row) -> str:
    """The modality of the study or series a row belongs to."""
    series = row.ancestor(Level.SERIES)
    if series is not None and series.match.get("Modality"):
        return text.printable(series.match.get("Modality"))
    study = row.ancestor(Level.STUDY)
    return text.printable(study.match.get("ModalitiesInStudy")).replace("\\", ",") if study else ""
