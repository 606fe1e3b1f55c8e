"""The targets that the rows are held against, and the table that says which were met."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Verdict:
    """One row of the table."""

    subject: str
    row: str
    wanted: str
    measured: str
    met: bool


@dataclass
class Targets:
    """What was measured so far against what was promised."""

    verdicts: list[Verdict] = field(default_factory=list)

    def at_least(self, subject: str, row: str, target: float, measured: float, unit: str = " x") -> None:
        """The row is met when what was measured reaches the target."""
        self._add(subject, row, "at least", target, measured, unit, measured >= target)

    def at_most(self, subject: str, row: str, target: float, measured: float, unit: str = " x") -> None:
        """The row is met when what was measured does not exceed the target."""
        self._add(subject, row, "at most", target, measured, unit, measured <= target)

    def _add(self, subject: str, row: str, how: str, target: float, measured: float, unit: str, met: bool) -> None:
        self.verdicts.append(Verdict(subject, row, f"{how} {target:g}{unit}", f"{measured:.3g}{unit}", met))

    def show(self) -> None:
        """Print the table, if there is anything in it."""
        if not self.verdicts:
            return
        wide = max(len(verdict.row) for verdict in self.verdicts)
        print(f"\n{'subject':<8} {'row':<{wide}} {'target':>18} {'measured':>12}")
        for verdict in self.verdicts:
            met = "met" if verdict.met else "MISSED"
            print(f"{verdict.subject:<8} {verdict.row:<{wide}} {verdict.wanted:>18} {verdict.measured:>12}  {met}")
        print(f"{sum(verdict.met for verdict in self.verdicts)} of {len(self.verdicts)} targets met.")
