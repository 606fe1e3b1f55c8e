"""The tree of what a node answered: patients, studies, series, instances, as rows to scroll through.

Only this file knows how rows hang together; it draws nothing and asks nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from pacs_tui.model.level import Level
from pacs_tui.model.match import Match

ORDERS = ("as received", "name", "newest first", "oldest first")
"""What `s` cycles through."""

LARGE = 5_000
"""Rows from which on a filter or an order takes too long for the time between two keys."""

Key = tuple[str, ...]


class Row(Struct, eq=False):
    """One match in the tree."""

    match: Match
    key: Key
    """What it is known by, from the patient down: the same entity has the same key in every answer."""
    parent: Row | None
    children: list[Row] = []
    expanded: bool = False
    state: str = "unasked"
    """unasked, loading, loaded or failed: where its children stand."""
    error: str = ""
    words: str = ""
    """Lower-case text the filter looks at, filled when it is first needed."""

    @property
    def level(self) -> Level:
        return self.match.level

    @property
    def depth(self) -> int:
        return len(self.key) - 1

    @property
    def path(self) -> tuple[Match, ...]:
        """The matches from the patient down to this one."""
        return (*(self.parent.path if self.parent else ()), self.match)

    def ancestor(self, level: Level) -> Row | None:
        """The row of that level at or above this one."""
        row: Row | None = self
        while row is not None and row.level is not level:
            row = row.parent
        return row


class _PatientOf(Mapping[str, str]):
    """The patient attributes of a study, with the number of studies found so far."""

    KEYWORDS = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex")

    def __init__(self, study: Match, studies: list[Row]) -> None:
        self._study = study
        self._studies = studies

    def __getitem__(self, keyword: str) -> str:
        if keyword == "NumberOfPatientRelatedStudies":
            return str(len(self._studies))
        if keyword in self.KEYWORDS:
            return self._study.values[keyword]
        raise KeyError(keyword)

    def __iter__(self) -> Iterator[str]:
        yield from (keyword for keyword in self.KEYWORDS if keyword in self._study.values)
        yield "NumberOfPatientRelatedStudies"

    def __len__(self) -> int:
        return sum(1 for _ in self)


class ResultTree:
    """Rows as they stream in, grouped under patients, with what is folded, filtered, sorted and marked."""

    def __init__(self) -> None:
        self.patients: list[Row] = []
        self.visible: list[Row] = []
        """What the list shows, top to bottom."""
        self.filter = ""
        self.order = ORDERS[0]
        self.marks: dict[Key, Row] = {}
        self.studies = 0
        self.stale = False
        """True when `visible` has to be arranged anew, which a large tree leaves to its owner."""
        self.version = 0
        """Grows with every change of what `visible` is made from."""
        self._known: dict[Key, Row] = {}
        self._folded: set[Key] = set()
        self._folds_all = False

    def clear(self) -> None:
        """Forgets rows and marks; keeps filter and order."""
        self.version += 1
        self.stale = False
        self.patients, self.visible, self.marks, self._known = [], [], {}, {}
        self._folded, self._folds_all, self.studies = set(), False, 0

    def add(self, studies: Iterable[Match]) -> None:
        """Studies of a query; each appears once, under its patient."""
        tail = self._plain and not self.stale
        for match in studies:
            patient_key: Key = (f"{match.get('PatientName').strip()}\0{match.get('PatientID').strip()}",)
            key = (*patient_key, match.uid)
            if key in self._known:
                continue
            patient = self._known.get(patient_key)
            if patient is None:
                patient = self._patient(match, patient_key)
                tail = self._show(patient, tail)
            elif self.patients[-1] is not patient:
                tail = False
            row = self._known[key] = Row(match, key, patient)
            patient.children.append(row)
            self.studies += 1
            if patient.expanded:
                tail = self._show(row, tail)
        if not tail:
            self._changed()

    def add_children(self, row: Row, matches: Iterable[Match]) -> None:
        """What was found below a row; each appears once, in the order of its number."""
        children = list(row.children)
        for match in matches:
            key = (*row.key, match.uid)
            if key not in self._known:
                self._known[key] = Row(match, key, row)
                children.append(self._known[key])
        before = self._span(row)
        # A new list: another thread may be reading the old one.
        row.children = sorted(children, key=_number) if row.level is not Level.PATIENT else children
        if row.expanded:
            self._replace(row, before)

    def set_expanded(self, row: Row, expanded: bool) -> None:
        """Opens or folds a row."""
        before = self._span(row)
        row.expanded = expanded
        (self._folded.discard if expanded else self._folded.add)(row.key)
        self._replace(row, before)

    def fold_all(self, folded: bool) -> None:
        """Folds every row, or opens every patient."""
        for row in self._known.values() if folded else self.patients:
            row.expanded = not folded
        self._folded.clear()
        self._folds_all = folded
        self._changed()

    @property
    def large(self) -> bool:
        """Whether to arrange it in a thread."""
        return len(self._known) > LARGE

    def arrange(self) -> None:
        """Makes `visible` anew from what is folded, filtered and sorted."""
        self.visible = self.arrangement()
        self.stale = False

    def arrangement(self) -> list[Row]:
        """The rows to show; may be called from a thread while rows stream in, and then misses the newest."""
        patients = arranged(self.patients, self.order)
        wanted = self.filter.lower().split()
        kept = _matching(patients, wanted) if wanted else None
        return list(_flat(patients, self.order, kept))

    def set_filter(self, words: str) -> None:
        """Shows only rows that hold these words."""
        self.filter = words
        self._changed()

    def next_order(self) -> None:
        """Sorts in the next of ORDERS."""
        self.order = ORDERS[(ORDERS.index(self.order) + 1) % len(ORDERS)]
        self._changed()

    def toggle_mark(self, row: Row) -> bool:
        """Marks or unmarks a row; True if it is marked now."""
        if row.key in self.marks:
            del self.marks[row.key]
            return False
        self.marks[row.key] = row
        return True

    def mark(self, rows: Iterable[Row]) -> None:
        """Marks rows that are not marked yet."""
        for row in rows:
            self.marks.setdefault(row.key, row)

    def mark_all(self) -> None:
        """Marks every study that is shown, or nothing if all of them are marked."""
        studies = [row for row in self.visible if row.level is Level.STUDY]
        folded = (row for row in self.visible if row.level is Level.PATIENT and not row.expanded)
        studies += (study for patient in folded for study in patient.children)
        if studies and all(row.key in self.marks for row in studies):
            self.marks.clear()
        else:
            self.mark(studies)

    def chosen(self, cursor: Row | None) -> list[Row]:
        """What an action is about: the marked rows, else the one under the cursor."""
        return list(self.marks.values()) or ([cursor] if cursor is not None else [])

    def row(self, key: Key) -> Row | None:
        return self._known.get(key)

    @property
    def _plain(self) -> bool:
        """Whether rows stand as they came."""
        return not self.filter and self.order == ORDERS[0]

    def _changed(self) -> None:
        self.version += 1
        if self.large:
            self.stale = True
        else:
            self.arrange()

    def _span(self, row: Row) -> int:
        """How many lines the rows below this one take, where nothing is filtered."""
        return sum(1 for _ in _flat(row.children, self.order, None)) if row.expanded else 0

    def _replace(self, row: Row, before: int) -> None:
        """Shows what is below a row now in place of the `before` lines that were."""
        if self.filter or self.stale or row not in self.visible:
            self._changed()
            return
        self.version += 1
        start = self.visible.index(row) + 1
        below = _flat(_ordered(row.children, self.order), self.order, None) if row.expanded else ()
        self.visible[start : start + before] = below

    def _patient(self, study: Match, key: Key) -> Row:
        row = Row(study, key, None, expanded=not (self._folds_all or key in self._folded), state="loaded")
        row.match = Match(Level.PATIENT, study.node, _PatientOf(study, row.children))
        self._known[key] = row
        self.patients.append(row)
        return row

    def _show(self, row: Row, tail: bool) -> bool:
        """Appends a row that belongs at the very end; everything else is left to `arrange`."""
        if tail:
            self.visible.append(row)
        return tail


def arranged(patients: Sequence[Row], order: str) -> Sequence[Row]:
    """The patients in one of ORDERS."""
    if order == "name":
        return sorted(patients, key=lambda row: (row.match.get("PatientName").lower(), row.match.get("PatientID")))
    if order == "newest first":
        return sorted(patients, key=lambda row: max(map(_moment, row.children), default=""), reverse=True)
    if order == "oldest first":
        return sorted(patients, key=lambda row: min(map(_moment, row.children), default=""))
    return patients


def _flat(rows: Iterable[Row], order: str, kept: set[Key] | None) -> Iterator[Row]:
    for row in rows:
        if kept is not None and row.key not in kept:
            continue
        yield row
        if row.expanded:
            yield from _flat(_ordered(row.children, order), order, kept)


def _ordered(rows: list[Row], order: str) -> list[Row]:
    """Studies follow the order of the patients; series and instances keep that of their numbers."""
    if len(rows) > 1 and rows[0].level is Level.STUDY and order in ORDERS[2:]:
        return sorted(rows, key=_moment, reverse=order == "newest first")
    return rows


def _matching(rows: Iterable[Row], wanted: Sequence[str]) -> set[Key]:
    """Keys of the rows that hold all words, themselves or with those above them, and of everything that leads there."""
    kept: set[Key] = set()
    for row in rows:
        missing = [word for word in wanted if word not in _words(row)]
        below = _matching(row.children, missing) if row.children and missing else set()
        if not missing:
            kept.add(row.key)
            kept.update(descendant.key for descendant in _all_below(row))
        elif below:
            kept |= below
            kept.add(row.key)
    return kept


def _all_below(row: Row) -> Iterator[Row]:
    for child in row.children:
        yield child
        yield from _all_below(child)


def _words(row: Row) -> str:
    if not row.words:
        from pacs_tui.model import columns, text

        row.words = " ".join((*columns.cells(row.match, units=False), text.printable(row.match.uid))).lower()
    return row.words


def _moment(study: Row) -> str:
    return study.match.get("StudyDate") + study.match.get("StudyTime")


def _number(row: Row) -> tuple[int, str]:
    number = row.match.count("SeriesNumber" if row.level is Level.SERIES else "InstanceNumber")
    return (10**9 if number is None else number, row.match.uid)
