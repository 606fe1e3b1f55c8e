"""C-MOVE and C-GET as SCP: what is asked for, and its sub-operations to the end (PS3.4 C.4.2, C.4.3)."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pacs_tui.dimse import command as cmd
from pacs_tui.dimse import contexts as ctx
from pacs_tui.dimse.answering import IDENTIFIER_MISMATCH, UNABLE, WRONG_CLASS, cancelled, identifier, respond
from pacs_tui.dimse.association import Association, Message
from pacs_tui.dimse.forwarding import Forwarding
from pacs_tui.dimse.returning import Returning
from pacs_tui.dimse.services import Services
from pacs_tui.dimse.storing import Manner, Transcode
from pacs_tui.dimse.tally import Tally
from pacs_tui.dimse.upper_layer import Connection
from pacs_tui.errors import Refused, UsageError
from pacs_tui.model.level import Level, Root
from pacs_tui.model.node import Node
from pacs_tui.model.transfer import Held, Target

_log = logging.getLogger(__name__)
_MOVE_DESTINATION = 0xA801
_MOST_TARGETS = 1000
"""Studies or series of one retrieve, each of which is looked up; instances are one list."""
_LOW = 2
"""Priority (0000,0700) of a retrieve that yields: it gets one association, whatever the limit is (PS3.7 9.1.4.1.5)."""

_END_SECONDS = 2.0
"""For workers that were interrupted, before the final response leaves without them."""

Connect = Callable[[Node, Sequence[ctx.Proposal], Callable[[Connection], None]], Association]
"""An association to a move destination; its connection is handed out before it is negotiated."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """How instances leave: what a listener hands to each association it serves."""

    connect: Connect
    transcode: Transcode | None = None
    """None: an instance goes as it is stored, or not at all."""
    associations: int = 1
    """For one C-MOVE, at most."""


class Retrieving:
    """The retrieves of one association, one at a time."""

    def __init__(self, association: Association, services: Services, outgoing: Outgoing) -> None:
        self._association = association
        self._services = services
        self._outgoing = outgoing

    def move(self, message: Message) -> None:
        """C-MOVE (PS3.4 C.4.2): an unknown destination is A801, nothing found is Success with zero counts."""
        association = self._association
        title = message.command.text(cmd.DESTINATION)
        try:
            targets = self._targets(message, ctx.MOVE)
            node = self._services.destination(association.called, title)
            if node is None:
                raise Refused(f"the move destination {title[:16]!r} is not known here", "", status=_MOVE_DESTINATION)
            instances = self._instances(targets)
        except Refused as error:
            self._refuse(message, cmd.C_MOVE_RSP, error)
            return
        tally = Tally(association, message, cmd.C_MOVE_RSP, len(instances))
        manner = self._manner(message, association.calling, message.command.number(cmd.MESSAGE_ID))
        most = 1 if manner.priority == _LOW else self._outgoing.associations
        forwarding = Forwarding(
            instances,
            lambda proposals, opened: self._outgoing.connect(node, proposals, opened),
            most,
            manner,
            node.name,
        )
        try:
            forwarding.start()
            was_cancelled = self._follow(message, forwarding, tally)
            _finish(tally, f"C-MOVE to {title}", was_cancelled)
        finally:
            forwarding.close()

    def _follow(self, message: Message, forwarding: Forwarding, tally: Tally) -> bool:
        """Count until everything was sent or the requestor has had enough, which is True."""
        association = self._association
        grace: float | None = None
        while tally.remaining and not forwarding.ended:
            left = tally.due if grace is None else min(tally.due, grace - time.monotonic())
            if left < 0:
                break
            forwarding.wait(association.connection, left)
            tally.add_all(forwarding.results())
            tally.tell()
            if cancelled(association, message) and grace is None:
                forwarding.stop()
                grace = time.monotonic() + association.timeouts.cancel_grace
        # An association that is not open yet, or hangs, has nothing to wait for.
        forwarding.interrupt()
        forwarding.await_end(_END_SECONDS)
        tally.add_all(forwarding.results())
        return grace is not None and tally.remaining > 0

    def get(self, message: Message) -> None:
        """C-GET (PS3.4 C.4.3): the sub-operations go over the association of the C-GET itself."""
        try:
            instances = self._instances(self._targets(message, ctx.GET))
        except Refused as error:
            self._refuse(message, cmd.C_GET_RSP, error)
            return
        tally = Tally(self._association, message, cmd.C_GET_RSP, len(instances))
        returning = Returning(self._association, self._manner(message, "", 0), message, tally)
        try:
            was_cancelled = returning.run(instances)
            _finish(tally, f"C-GET by {self._association.calling}", was_cancelled)
        finally:
            returning.close()

    # ------------------------------------------------------------------ pieces

    def _refuse(self, message: Message, field: int, error: Refused) -> None:
        respond(self._association, message, field, error.status or UNABLE, str(error))

    def _manner(self, message: Message, originator: str, number: int) -> Manner:
        priority = message.command.number(cmd.PRIORITY, 0)
        return Manner(self._outgoing.transcode, originator, number, priority if priority in (0, 1, 2) else 0)

    def _instances(self, targets: Sequence[Target]) -> list[Held]:
        """What the targets hold, each instance once."""
        called = self._association.called
        held = [one for target in targets for one in self._services.retrieve(called, target)]
        return list({one.sop_instance: one for one in held}.values())

    def _targets(self, message: Message, classes: Mapping[Root, str]) -> list[Target]:
        """One target for each UID of the identifier's level (PS3.4 C.4.2.2.1)."""
        abstract_syntax = self._association.contexts[message.context].abstract_syntax
        level, keys = identifier(self._association, message)
        if abstract_syntax not in classes.values():
            raise Refused("a retrieve in a context of another service", "", status=WRONG_CLASS)
        if level not in ctx.ROOT_OF[abstract_syntax].levels:
            raise Refused(f"this model has no level {level.value}", "", status=IDENTIFIER_MISMATCH)
        agreed = self._association.extended.get(abstract_syntax, ctx.Extended())
        try:
            found = targets(level, {key.tag: key.text for key in keys}, agreed.relational)
        except UsageError as error:
            raise Refused(str(error), "", status=IDENTIFIER_MISMATCH) from None
        if len(found) > _MOST_TARGETS:
            sentence = f"{len(found)} UIDs are more than the {_MOST_TARGETS} taken at a time"
            raise Refused(sentence, "", status=IDENTIFIER_MISMATCH)
        if not found:
            raise Refused(f"the unique keys of level {level.value} are missing", "", status=IDENTIFIER_MISMATCH)
        return found


def _finish(tally: Tally, what: str, was_cancelled: bool) -> None:
    status = tally.finish(was_cancelled)
    kept, failed = tally.completed + tally.warning, len(tally.failed)
    _log.info("%s: %d of %d instances, %d failed: %04X", what, kept, tally.total, failed, status)


def targets(level: Level, text: Mapping[int, str], relational: bool) -> list[Target]:
    """The targets of an identifier, none where unique keys are missing; relational ones need only their own level's."""
    patient = text.get(0x00100020, "")
    studies, series, images = (_uids(text, tag) for tag in (0x0020000D, 0x0020000E, 0x00080018))
    if level is Level.PATIENT:
        return [Target(level, patient)] if patient else []
    if level is Level.STUDY:
        return [Target(level, patient, study) for study in studies]
    study = studies[0] if len(studies) == 1 else ""
    if not study and not (relational and not studies):
        return []
    if level is Level.SERIES:
        return [Target(level, patient, study, one) for one in series]
    one_series = series[0] if len(series) == 1 else ""
    if not images or (not one_series and not (relational and not series)):
        return []
    return [Target(level, patient, study, one_series, images)]


def _uids(text: Mapping[int, str], tag: int) -> tuple[str, ...]:
    return tuple(dict.fromkeys(uid for uid in text.get(tag, "").split("\\") if uid))
