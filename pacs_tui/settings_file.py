"""config.toml as it is read: tables whose every value is taken by a name that complaints can point to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from pacs_tui.errors import SettingsError

RANGES: dict[str, tuple[float, float]] = {
    "query_limit": (1, 1_000_000),
    "echo_seconds": (1, 86_400),
    "cache_megabytes": (1, 1_000_000),
    "receiver_port": (0, 65_535),
    "worker_jobs": (1, 64),
    "lease_seconds": (1, 3_600),
    "verify_seconds": (0, 86_400),
    "timeouts.connect": (0.1, 3_600),
    "timeouts.association": (0.1, 3_600),
    "timeouts.message": (0.1, 86_400),
    "timeouts.transfer": (0.1, 86_400),
    "timeouts.cancel_grace": (0, 3_600),
    "archive.limits.associations": (1, 100_000),
    "archive.limits.per_host": (1, 100_000),
    "archive.limits.request_seconds": (0.1, 3_600),
    "archive.limits.idle_seconds": (1, 86_400),
    "archive.limits.pdu_length": (4_096, 1_048_576),
    "archive.limits.instance_megabytes": (1, 1_000_000),
    "archive.limits.move_associations": (1, 16),
    "archive.processes": (1, 64),
    "archive.grace_seconds": (0, 3_600),
    "archive.hung_seconds": (1, 3_600),
    "archive.index_wait_seconds": (0.1, 3_600),
    "archive.low_water_megabytes": (0, 1_000_000_000),
    "archive.result_cap": (1, 1_000_000_000),
    "archive.area.port": (0, 65_535),
    "archive.area.quota_gigabytes": (0, 1_000_000_000),
}
"""Least and greatest value of every number."""
CHOICES = {
    "archive.durability": ("full", "os"),
    "archive.unsupported_keys": ("refuse", "ignore"),
    "archive.fuzzy": ("negotiated", "always"),
    "archive.area.duplicates": ("keep", "replace"),
}


class SettingsTable(Struct, frozen=True):
    """A table of the file; every value is taken through it, so that every complaint names file and key."""

    path: Path
    prefix: str
    values: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path) -> SettingsTable:
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return cls(path, "", {})
        except OSError as error:
            raise SettingsError(f"{path}: cannot be read: {error.strerror or error}.") from error
        # Parsers are imported where they are needed: the console starts without a config.toml in most places.
        import tomllib

        try:
            return cls(path, "", tomllib.loads(data.decode()))
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            raise SettingsError(f"{path}: line {line} is not UTF-8 text.") from error
        except (tomllib.TOMLDecodeError, ValueError, RecursionError) as error:
            raise SettingsError(f"{path}: this is not TOML: {error}.") from error

    def error(self, key: str, sentence: str) -> SettingsError:
        return SettingsError(f"{self.path}: {self.prefix}{key}: {sentence}.")

    def table(self, key: str) -> SettingsTable:
        value = self.values.get(key, {})
        if not isinstance(value, dict):
            raise self.error(key, f"is {value!r}; expected a table, [{self.prefix}{key}]")
        return SettingsTable(self.path, f"{self.prefix}{key}.", value)

    def tables(self, key: str) -> list[SettingsTable]:
        value = self.values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
            raise self.error(key, f"expected tables, each under [[{self.prefix}{key}]]")
        return [SettingsTable(self.path, f"{self.prefix}{key}.", entry) for entry in value]

    def scalars(self, kind: type[Struct]) -> dict[str, Any]:
        """The numbers and texts of a struct that the file gives."""
        return {name: self.scalar(name, of) for name, of in scalar_names(kind).items() if name in self.values}

    def rest(self, kind: type[Struct]) -> dict[str, Any]:
        """As `scalars`, where nothing else may stand in the table."""
        self.close(scalar_names(kind))
        return self.scalars(kind)

    def scalar(self, key: str, of: type[Any]) -> Any:
        if key not in self.values:
            raise self.error(key, "is missing")
        value = self.values[key]
        if of is str:
            return self.title(key, value) if key == "ae_title" else self.chosen(key, value)
        low, high = RANGES[f"{self.prefix}{key}"]
        what = "a whole number" if of is int else "a number"
        fits = isinstance(value, int if of is int else (int, float)) and not isinstance(value, bool)
        if not fits or not low <= value <= high:
            raise self.error(key, f"is {value!r}; expected {what} from {low} to {high}")
        return of(value)

    def chosen(self, key: str, value: object) -> str:
        """Text, where only some words may stand one of those."""
        words = CHOICES.get(f"{self.prefix}{key}")
        if words and value not in words:
            raise self.error(key, f"is {value!r}; expected {' or '.join(map(repr, words))}")
        return self.text(key, value)

    def text(self, key: str, value: object) -> str:
        if not isinstance(value, str) or not value or not value.isprintable():
            raise self.error(key, f"is {value!r}; expected text")
        return value

    def title(self, key: str, value: object) -> str:
        """An AE title (PS3.5 6.2): 1 to 16 printable ASCII characters without a backslash."""
        title = self.text(key, value).strip(" ")
        if not 1 <= len(title) <= 16 or not title.isascii() or "\\" in title:
            raise self.error(key, f"is {value!r}; expected 1 to 16 printable ASCII characters without a backslash")
        return title

    def texts(self, key: str, default: tuple[str, ...]) -> tuple[str, ...]:
        value = self.values.get(key, default)
        if not isinstance(value, (list, tuple)):
            raise self.error(key, f"is {value!r}; expected a list")
        return tuple(self.text(key, one) for one in value)

    def refuse_doubles(self, key: str, what: str, given: list[str] | list[int]) -> None:
        for value in set(given):
            if sum(one == value for one in given) > 1:
                raise self.error(key, f"the {what} {value} belongs to two of them")

    def close(self, known: Iterable[str]) -> None:
        """Refuse what nobody asked for: a misspelt key would otherwise be a setting that silently does nothing."""
        names = list(known)
        for key in self.values:
            if key not in names:
                from difflib import get_close_matches

                near = get_close_matches(key, names, 1, 0.5)
                advice = f"did you mean '{self.prefix}{near[0]}'?" if near else f"known are {', '.join(names)}."
                raise SettingsError(f"{self.path}: unknown key '{self.prefix}{key}'; {advice}")


def scalar_names(kind: type[Struct]) -> dict[str, type[Any]]:
    """Name and type of the numbers and texts of a struct; folders, tables and lists have no such default."""
    names, defaults = kind.__struct_fields__, kind.__struct_defaults__
    named = zip(names[len(names) - len(defaults) :], defaults, strict=True)
    return {name: type(default) for name, default in named if isinstance(default, (int, float, str))}
