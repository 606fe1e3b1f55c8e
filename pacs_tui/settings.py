"""Settings: one frozen value, read once; where config, state and data live."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds we wait for a peer, as SCU."""

    connect: float = 10.0
    association: float = 30.0
    """A-ASSOCIATE-AC/RJ and A-RELEASE-RP (the ARTIM timer of PS3.8 9.1.5)."""
    message: float = 60.0
    """Silence between two messages."""
    cancel_grace: float = 3.0
    """After a C-CANCEL, before the A-ABORT."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a listener takes from strangers."""

    associations: int = 200
    per_host: int = 100
    request_seconds: float = 10.0
    """From connection to a complete A-ASSOCIATE-RQ."""
    idle_seconds: float = 300.0
    """Between two PDUs of an open association."""
    pdu_length: int = 131072
    """Maximum length of a P-DATA-TF we announce, bytes."""


@dataclass(frozen=True, slots=True)
class Area:
    """One AE title of the archive and where its instances lie."""

    ae_title: str
    port: int
    """0 lets the kernel choose."""
    sta: Path
    """Short-term area: where instances arrive."""
    lta: Path | None = None
    """Long-term area."""
    peers: tuple[str, ...] = ()
    """Calling AE titles admitted; empty admits all."""


@dataclass(frozen=True, slots=True)
class ArchiveSettings:
    host: str = "127.0.0.1"
    areas: tuple[Area, ...] = ()
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class Settings:
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
    receiver_port: int = 0
    """Where the console receives C-MOVE previews; 0 lets the kernel choose."""
    worker_jobs: int = 2
    """Jobs one worker runs at a time."""
    lease_seconds: float = 30.0
    """A worker that is silent so long has lost its job."""
    verify_seconds: float = 60.0
    """How long the destination may take to list what it was sent."""
    timeouts: Timeouts = field(default_factory=Timeouts)
    archive: ArchiveSettings = field(default_factory=ArchiveSettings)
