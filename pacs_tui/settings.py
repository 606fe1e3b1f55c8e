"""Settings: one frozen value, read once; where config, state and data live."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from pacs_tui.errors import SettingsError
from pacs_tui.settings_file import SettingsTable, scalar_names


class Timeouts(Struct, frozen=True):
    """Seconds we wait for a peer, as SCU."""

    connect: float = 10.0
    association: float = 30.0
    """A-ASSOCIATE-AC/RJ and A-RELEASE-RP (the ARTIM timer of PS3.8 9.1.5)."""
    message: float = 60.0
    """Silence between two messages."""
    transfer: float = 300.0
    """Silence between two responses of a C-MOVE or C-GET; some peers send none while they work."""
    cancel_grace: float = 3.0
    """After a C-CANCEL, before the A-ABORT."""


class Limits(Struct, frozen=True):
    """What a listener takes from strangers."""

    associations: int = 200
    per_host: int = 100
    request_seconds: float = 10.0
    """From connection to a complete A-ASSOCIATE-RQ."""
    idle_seconds: float = 300.0
    """Between two PDUs of an open association."""
    pdu_length: int = 131072
    """Maximum length of a P-DATA-TF we announce, bytes."""
    instance_megabytes: int = 4096
    """The largest data set taken by C-STORE."""
    move_associations: int = 2
    """One C-MOVE opens to its destination at most; 1 keeps every study together and in order."""


RIGHTS = ("echo", "store", "find", "retrieve")
"""What a caller may be allowed; retrieve is C-MOVE and C-GET."""


class Caller(Struct, frozen=True):
    """Who may call an area, and what for."""

    ae_title: str
    """The calling AE title; `*` is any."""
    hosts: tuple[str, ...] = ()
    """Addresses or networks (10.1.0.0/16) it may call from; empty admits all."""
    rights: tuple[str, ...] = RIGHTS


class Area(Struct, frozen=True):
    """One AE title of the archive and where its instances lie."""

    ae_title: str
    port: int
    """0 lets the kernel choose."""
    sta: Path
    """Short-term area: where instances arrive."""
    lta: Path | None = None
    """Long-term area."""
    peers: tuple[Caller, ...] = ()
    """Who is admitted; empty admits all."""
    quota_gigabytes: float = 0.0
    """Instances the area may hold; 0 is no limit."""
    duplicates: str = "keep"
    """Other content under a known SOP Instance UID: `keep` the first and quarantine the second, or `replace`."""


class ArchiveSettings(Struct, frozen=True):
    host: str = "127.0.0.1"
    areas: tuple[Area, ...] = ()
    limits: Limits = Limits()
    durability: str = "full"
    """`full`: Success survives a power cut. `os`: what the kernel has not yet written may be lost with it."""
    processes: int = 1
    """Serving processes that share the ports; more than one uses more cores."""
    grace_seconds: float = 10.0
    """What open operations get to end in when the archive stops."""
    hung_seconds: float = 60.0
    """A serving process that answers nothing so long is replaced (where there are several)."""
    index_wait_seconds: float = 10.0
    """How long a foreign program may hold the index before a store fails."""
    low_water_megabytes: int = 256
    """Free space below which C-STORE is refused early."""
    result_cap: int = 1_000_000
    """Matches after which a C-FIND ends with a status."""
    unsupported_keys: str = "refuse"
    """A matching key the archive has no attribute for: `refuse` the query, or `ignore` the key and say so (FF01)."""
    fuzzy: str = "negotiated"
    """Fuzzy matching of person names: when `negotiated`, or `always`."""


class Settings(Struct, frozen=True):
    """Everything that is fixed while a process runs."""

    config: Path
    """config.toml, whether or not it exists."""
    state: Path
    """book.json, pacs.db, locks, logs."""
    cache: Path
    """Instances fetched for previews."""
    data: Path
    """The archive's index and areas."""
    ae_title: str = "PACSTUI"
    query_limit: int = 500
    """Rows after which a query of the console stops and offers more."""
    echo_seconds: float = 30.0
    """Between two echoes of a node that is on the screen."""
    cache_megabytes: int = 512
    receiver_host: str = "127.0.0.1"
    """Address on which the console receives C-MOVE previews."""
    receiver_port: int = 0
    """Where the console receives C-MOVE previews; 0 lets the kernel choose."""
    worker_jobs: int = 2
    """Jobs one worker runs at a time."""
    lease_seconds: float = 30.0
    """A worker that is silent so long has lost its job."""
    verify_seconds: float = 60.0
    """How long the destination may take to list what it was sent."""
    timeouts: Timeouts = Timeouts()
    archive: ArchiveSettings = ArchiveSettings()


def load(environ: Mapping[str, str]) -> Settings:
    """The settings of this user: config.toml where there is one, defaults for the rest.

    `PACS_TUI_HOME` puts everything under one folder; else the XDG base directories decide. Raises SettingsError, naming
    the file and the key, for anything in the file that is unknown or cannot be meant.
    """
    folders = _folders(environ)
    table = SettingsTable.read(folders["config"])
    archive = table.table("archive")
    areas = tuple(_area(entry, folders["data"], environ) for entry in archive.tables("area"))
    archive.refuse_doubles("area", "AE title", [area.ae_title for area in areas])
    archive.refuse_doubles("area", "port", [area.port for area in areas if area.port])
    settings = Settings(
        **folders,
        **table.scalars(Settings),
        timeouts=Timeouts(**table.table("timeouts").rest(Timeouts)),
        archive=ArchiveSettings(
            areas=areas, limits=Limits(**archive.table("limits").rest(Limits)), **archive.scalars(ArchiveSettings)
        ),
    )
    archive.close(["area", "limits", *scalar_names(ArchiveSettings)])
    table.close(["timeouts", "archive", *scalar_names(Settings)])
    return settings


def render(settings: Settings) -> str:
    """The text of a config.toml that loads back equal in the same folders; areas below `data` are written relative."""
    lines = _assignments(settings)
    lines += ["", "[timeouts]", *_assignments(settings.timeouts)]
    lines += ["", "[archive]", *_assignments(settings.archive)]
    lines += ["", "[archive.limits]", *_assignments(settings.archive.limits)]
    for area in settings.archive.areas:
        lines += ["", "[[archive.area]]", f"ae_title = {_toml(area.ae_title)}", f"port = {area.port}"]
        lines += [f"{name} = {_toml(_below(path, settings.data))}" for name, path in _folders_of(area)]
        lines += [f"peers = [{', '.join(map(_caller_text, area.peers))}]", *_assignments(area)]
    return "\n".join(lines) + "\n"


def _folders(environ: Mapping[str, str]) -> dict[str, Any]:
    if home := environ.get("PACS_TUI_HOME"):
        base = Path(home).absolute()
        return {"config": base / "config.toml", "state": base / "state", "cache": base / "cache", "data": base / "data"}

    def folder(variable: str, default: str) -> Path:
        # The XDG Base Directory Specification tells us to ignore relative paths.
        given = environ.get(variable, "")
        base = Path(given) if given.startswith("/") else _home(environ) / default
        return base / "pacs-tui"

    return {
        "config": folder("XDG_CONFIG_HOME", ".config") / "config.toml",
        "state": folder("XDG_STATE_HOME", ".local/state"),
        "cache": folder("XDG_CACHE_HOME", ".cache"),
        "data": folder("XDG_DATA_HOME", ".local/share"),
    }


def _home(environ: Mapping[str, str]) -> Path:
    try:
        return Path(environ.get("HOME") or Path("~").expanduser())
    except RuntimeError:
        raise SettingsError("There is no home folder for this user: set HOME, or PACS_TUI_HOME.") from None


def _area(table: SettingsTable, data: Path, environ: Mapping[str, str]) -> Area:
    table.close(Area.__struct_fields__)

    def folder(key: str) -> Path:
        given = str(table.scalar(key, str))
        # data / path is path itself where that is absolute.
        return _home(environ) / given[2:] if given.startswith("~/") else data / given

    peers = table.values.get("peers", [])
    if not isinstance(peers, list):
        raise table.error("peers", f"is {peers!r}; expected a list of AE titles")
    more = {name: table.scalar(name, of) for name, of in scalar_names(Area).items() if name in table.values}
    return Area(
        ae_title=table.scalar("ae_title", str),
        port=table.scalar("port", int),
        sta=folder("sta"),
        lta=folder("lta") if "lta" in table.values else None,
        peers=tuple(_caller(table, peer) for peer in peers),
        **more,
    )


def _caller(table: SettingsTable, given: object) -> Caller:
    """`"MED1"`, or `{ae_title = "MED1", hosts = ["10.1.0.0/16"], rights = ["store"]}`."""
    if not isinstance(given, dict):
        return Caller(table.title("peers", given))
    entry = SettingsTable(table.path, f"{table.prefix}peers.", given)
    entry.close(Caller.__struct_fields__)
    hosts, rights = (entry.texts(key, whole) for key, whole in (("hosts", ()), ("rights", RIGHTS)))
    for right in rights:
        if right not in RIGHTS:
            raise entry.error("rights", f"names {right!r}; known are {', '.join(RIGHTS)}")
    for host in hosts:
        import ipaddress

        try:
            ipaddress.ip_network(host)
        except ValueError as error:
            raise entry.error("hosts", f"{error}; expected an address or a network such as 10.1.0.0/16") from None
    return Caller(entry.scalar("ae_title", str), hosts, rights)


def _caller_text(caller: Caller) -> str:
    if caller == Caller(caller.ae_title):
        return _toml(caller.ae_title)
    hosts, rights = (", ".join(map(_toml, words)) for words in (caller.hosts, caller.rights))
    return f"{{ae_title = {_toml(caller.ae_title)}, hosts = [{hosts}], rights = [{rights}]}}"


def _assignments(value: Any) -> list[str]:
    return [f"{name} = {_toml(getattr(value, name))}" for name in scalar_names(type(value))]


def _toml(value: object) -> str:
    import json

    # A JSON string is a TOML basic string, but for DEL, which TOML wants escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f") if isinstance(value, str) else repr(value)


def _folders_of(area: Area) -> list[tuple[str, Path]]:
    return [("sta", area.sta)] + ([("lta", area.lta)] if area.lta is not None else [])


def _below(path: Path, data: Path) -> str:
    return str(path.relative_to(data) if path.is_relative_to(data) else path)
