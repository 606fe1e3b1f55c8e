"""Our SCU door to one node: echo, find, get, move, send (PS3.4 annexes A, B, C)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager

from pacs_tui.dimse import command as cmd
from pacs_tui.dimse import contexts as ctx
from pacs_tui.dimse import storing
from pacs_tui.dimse.association import Association, Message
from pacs_tui.dimse.dataset import Reading
from pacs_tui.dimse.identifier import Attributes, encode_keys, encode_query
from pacs_tui.dimse.receiving import receive_instance
from pacs_tui.dimse.services import Incoming
from pacs_tui.dimse.upper_layer import Violation, p_data
from pacs_tui.dimse.warm import WarmAssociation
from pacs_tui.errors import Cancelled, Refused, Unreachable
from pacs_tui.model.level import Level, Root
from pacs_tui.model.match import Match
from pacs_tui.model.node import Echo, Node
from pacs_tui.model.query import Query, by_uid
from pacs_tui.model.transfer import Held, Progress, Sent, StoreRequest, Target, is_uid
from pacs_tui.settings import Timeouts

_PENDING = (0xFF00, 0xFF01)


class Peer:
    """A node as we talk to it. Thread-safe; every call owns its association, find keeps one warm for the next find."""

    def __init__(self, node: Node, calling: str, timeouts: Timeouts) -> None:
        self.node = node
        self._calling = node.calling or calling
        self._timeouts = timeouts
        self._warm = WarmAssociation(lambda: self._open([ctx.Proposal(ctx.VERIFICATION, ctx.QUERY_SYNTAXES)] + [
            ctx.Proposal(ctx.FIND[root], ctx.QUERY_SYNTAXES) for root in (Root.PATIENT, Root.STUDY)]))  # fmt: skip

    def echo(self, count: int = 1, cancel: threading.Event | None = None) -> Generator[Echo, None, None]:
        """`count` C-ECHOs over one new association, each with its round trip (PS3.7 9.1.5)."""
        began = time.perf_counter()
        with self._association([ctx.Proposal(ctx.VERIFICATION, ctx.QUERY_SYNTAXES)]) as association:
            connect = (time.perf_counter() - began) * 1000
            context = self._context(association, ctx.VERIFICATION, "C-ECHO")
            for _ in range(count):
                began = time.perf_counter()
                association.send(context.id, cmd.pack(
                    (cmd.AFFECTED_CLASS, ctx.VERIFICATION), (cmd.FIELD, cmd.C_ECHO_RQ),
                    (cmd.MESSAGE_ID, association.next_message_id()), (cmd.DATA_SET_TYPE, cmd.NO_DATA_SET)))  # fmt: skip
                self._check("C-ECHO", association.receive(cancel=cancel), cmd.C_ECHO_RSP)
                yield Echo(self.node.name, (time.perf_counter() - began) * 1000, connect)
                connect = 0.0

    def find(self, query: Query, cancel: threading.Event | None = None) -> Generator[Match, None, None]:
        """Matches as they arrive, at most `query.limit`; more are cut off at the peer by C-CANCEL.

        Cancelled after `cancel` was set: C-CANCEL, a grace time, then A-ABORT. Refused for a failure status.
        """
        for attempt in (1, 2):
            association, used = self._warm.take()
            got_any = False
            try:
                for match in self._find(association, query, cancel):
                    got_any = True
                    yield match
            except Unreachable as error:
                association.abort()
                error.facts.update(self._facts())
                # A peer may close an idle association at any moment: a fresh one decides.
                if used and attempt == 1 and not got_any:
                    continue
                raise
            except Violation as violation:
                association.abort(2, violation.reason)
                raise self._violation(violation) from None
            except BaseException:
                self._warm.give_back(association)
                raise
            self._warm.give_back(association)
            return

    def _find(self, association: Association, query: Query, cancel: threading.Event | None) -> Iterator[Match]:
        context = self._context(association, ctx.FIND[query.root], "C-FIND")
        message_id = association.next_message_id()
        explicit = context.transfer_syntax != ctx.IMPLICIT
        association.send(context.id, cmd.pack(
            (cmd.AFFECTED_CLASS, context.abstract_syntax), (cmd.FIELD, cmd.C_FIND_RQ), (cmd.MESSAGE_ID, message_id),
            (cmd.PRIORITY, 0), (cmd.DATA_SET_TYPE, cmd.DATA_SET),
        ), encode_query(query, explicit, self.node.charset))  # fmt: skip
        left = -1 if query.limit is None else query.limit
        level, name, charset, syntax = query.level, self.node.name, self.node.charset, context.transfer_syntax
        reading, done = Reading(), False
        try:
            while True:
                message = association.receive(cancel=cancel)
                done = message.command.get(cmd.STATUS) not in _PENDING
                self._check("C-FIND", message, cmd.C_FIND_RSP, message_id)
                if done:
                    return
                if message.data is None:
                    raise Violation("a pending C-FIND-RSP without an identifier", 2)
                row: bytes | None = message.data
                # The commands of an answer are all alike: rows behind the same bytes need no more looking at.
                alike = p_data(message.context, 3, association.command)
                while row is not None:
                    if left == 0:
                        return
                    left -= 1
                    yield Match(level, name, Attributes(row, syntax, charset, reading))
                    if cancel is not None and cancel.is_set():
                        raise Cancelled("Cancelled.")
                    row = association.connection.follower(alike, message.context)
        except (Unreachable, Violation):
            done = True
            raise
        finally:
            # Whoever stops listening early (limit, cancel, a dropped generator) leaves the association usable.
            if not done:
                self._cancel(association, context.id, message_id, cmd.C_FIND_RSP)

    def move(
        self, target: Target, destination: str, cancel: threading.Event | None = None
    ) -> Generator[Progress, None, None]:
        """C-MOVE to the AE title `destination`; the last value is the final one, failed sub-operations and all.

        Refused for a failure status (`status:C-MOVE:A801` and so on), Cancelled after C-CANCEL, grace and A-ABORT.
        """
        proposal = ctx.Proposal(ctx.MOVE[target.root], ctx.QUERY_SYNTAXES)
        with self._association([proposal]) as association:
            context = self._context(association, proposal.abstract_syntax, "C-MOVE")
            message_id = association.next_message_id()
            association.send(context.id, cmd.pack(
                (cmd.AFFECTED_CLASS, context.abstract_syntax), (cmd.FIELD, cmd.C_MOVE_RQ),
                (cmd.MESSAGE_ID, message_id), (cmd.DESTINATION, destination), (cmd.PRIORITY, 0),
                (cmd.DATA_SET_TYPE, cmd.DATA_SET),
            ), _encode_target(target, context.transfer_syntax != ctx.IMPLICIT))  # fmt: skip
            while True:
                try:
                    message = association.receive(self._timeouts.transfer, cancel)
                except Cancelled:
                    self._cancel(association, context.id, message_id, cmd.C_MOVE_RSP)
                    raise
                progress = self._progress(
                    "C-MOVE", message, cmd.C_MOVE_RSP, message_id, context.transfer_syntax, destination=destination
                )
                yield progress
                if not progress.pending:
                    return

    def get(
        self, target: Target, receive: Callable[[StoreRequest], Incoming], cancel: threading.Event | None = None
    ) -> Generator[Progress, None, None]:
        """C-GET; every instance that comes is handed to `receive`, on this association and in this thread.

        Refused where the node has no C-GET. The storage classes proposed are those the target holds, else the common.
        """
        classes = self._classes(target, cancel)
        with self._association(ctx.for_get(target.root, classes)) as association:
            context = self._context(association, ctx.GET[target.root], "C-GET")
            message_id = association.next_message_id()
            association.send(context.id, cmd.pack(
                (cmd.AFFECTED_CLASS, context.abstract_syntax), (cmd.FIELD, cmd.C_GET_RQ),
                (cmd.MESSAGE_ID, message_id), (cmd.PRIORITY, 0), (cmd.DATA_SET_TYPE, cmd.DATA_SET),
            ), _encode_target(target, context.transfer_syntax != ctx.IMPLICIT))  # fmt: skip
            while True:
                try:
                    message = association.receive_command(self._timeouts.transfer, cancel)
                except Cancelled:
                    self._say_cancel(association, context.id, message_id)
                    raise
                if message is None:
                    raise Unreachable(f"{self.node.name} released the association in the middle of C-GET.", "closed")
                if message.command.number(cmd.FIELD) == cmd.C_STORE_RQ:
                    receive_instance(association, message, receive, cancel)
                    continue
                answer = Message(message.context, message.command, association.collect(message, cancel=cancel) or None)
                progress = self._progress("C-GET", answer, cmd.C_GET_RSP, message_id, context.transfer_syntax)
                yield progress
                if not progress.pending:
                    return

    def send(self, instances: Iterable[Held], cancel: threading.Event | None = None) -> Generator[Sent, None, None]:
        """C-STORE each instance, one answer each, in order; one association while the contexts fit into 128."""
        for batch in storing.batches(instances):
            yield from self._send(batch, cancel)

    def _send(self, batch: Sequence[Held], cancel: threading.Event | None) -> Iterator[Sent]:
        with self._association(ctx.for_storage((h.sop_class, h.transfer_syntax) for h in batch)) as association:
            for held in batch:
                if cancel is not None and cancel.is_set():
                    raise Cancelled("Cancelled: the rest was not sent.")
                sent = storing.store(association, held)
                assert sent is not None
                yield sent

    def close(self) -> None:
        """Release the warm association."""
        self._warm.close()

    # ------------------------------------------------------------------ pieces

    def _open(self, proposals: Sequence[ctx.Proposal]) -> Association:
        node = self.node
        who = f"{node.name} ({node.address})"
        try:
            return Association.request(
                node.host, node.port, who, self._calling, node.ae_title, proposals, self._timeouts
            )
        except (Refused, Unreachable) as error:
            error.facts.update(self._facts())
            raise

    @contextmanager
    def _association(self, proposals: Sequence[ctx.Proposal]) -> Iterator[Association]:
        association = self._open(proposals)
        try:
            yield association
        except Violation as violation:
            association.abort(2, violation.reason)
            raise self._violation(violation) from None
        except (Unreachable, Refused) as error:
            error.facts.update(self._facts())
            if isinstance(error, Refused):
                association.release()
            raise
        else:
            association.release()
        finally:
            association.abort()

    def _facts(self) -> dict[str, str]:
        node = self.node
        return {
            "node": node.name, "host": node.host, "port": str(node.port),
            "called": node.ae_title, "calling": self._calling,
        }  # fmt: skip

    def _violation(self, violation: Violation) -> Unreachable:
        return Unreachable(f"{self.node.name} broke the DICOM protocol: {violation}.", "protocol", **self._facts())

    def _context(self, association: Association, abstract_syntax: str, what: str) -> ctx.Context:
        context = association.context_for(abstract_syntax)
        if context is None:
            raise Refused(f"{self.node.name} does not accept {what}.", f"context:{what}")
        return context

    def _check(self, service: str, message: Message, field: int, message_id: int | None = None, **facts: str) -> int:
        """The status of the response to a message; Refused for a failure, Violation for another message's response."""
        command = message.command
        if command.number(cmd.FIELD) != field:
            raise Violation(f"a command {command.number(cmd.FIELD):04X} where {field:04X} belongs", 2)
        if message_id is not None and command.number(cmd.RESPONDED_ID) != message_id:
            raise Violation(f"a response to message {command.number(cmd.RESPONDED_ID)} where {message_id} was asked", 2)
        status = command.number(cmd.STATUS)
        if status in (0, 0xFF00, 0xFF01) or 0xB000 <= status <= 0xBFFF or status in (0x0001, 0x0107, 0x0116):
            return status
        comment = command.text(cmd.COMMENT)
        said = f" It says: {comment}" if comment else ""
        refused = Refused(
            f"{self.node.name} answers {service} with status {status:04X}.{said}",
            f"status:{service}:{status:04X}", status=status, comment=comment,
        )  # fmt: skip
        refused.facts.update(self._facts() | facts)
        raise refused

    def _progress(
        self, service: str, message: Message, field: int, message_id: int, syntax: str, **facts: str
    ) -> Progress:
        status = self._check(service, message, field, message_id, **facts)
        command = message.command
        failed = Attributes(message.data, syntax).get("FailedSOPInstanceUIDList", "") if message.data else ""
        return Progress(
            command.number(cmd.REMAINING, 0), command.number(cmd.COMPLETED, 0), command.number(cmd.FAILED, 0),
            command.number(cmd.WARNING, 0), status, tuple(uid for uid in failed.split("\\") if uid),
        )  # fmt: skip

    def _cancel(self, association: Association, context: int, message_id: int, field: int) -> None:
        """C-CANCEL, then read on until the final response; A-ABORT when it does not come in the grace time."""
        finished = not association.open
        try:
            if finished:
                return
            self._say_cancel(association, context, message_id)
            deadline = time.monotonic() + self._timeouts.cancel_grace
            while (left := deadline - time.monotonic()) > 0:
                reply = association.receive(left).command
                finished = reply.number(cmd.FIELD) == field and reply.number(cmd.STATUS) not in _PENDING
                if finished:
                    return
        except (Unreachable, Violation):
            finished = False
        finally:
            # whatever ends this early, a second Ctrl-C too, leaves responses on the line
            if not finished:
                association.abort()

    def _say_cancel(self, association: Association, context: int, message_id: int) -> None:
        command = ((cmd.FIELD, cmd.C_CANCEL_RQ), (cmd.RESPONDED_ID, message_id), (cmd.DATA_SET_TYPE, cmd.NO_DATA_SET))
        association.send(context, cmd.pack(*command))

    def _classes(self, target: Target, cancel: threading.Event | None) -> Sequence[str]:
        """The SOP classes a target holds, asked from the node; the common ones where it does not say."""
        found: set[str] = set()
        try:
            if target.level in (Level.SERIES, Level.IMAGE):
                single = target.instance_uids[0] if len(target.instance_uids) == 1 else ""
                query = by_uid(Level.IMAGE, target.study_uid, target.series_uid, single, ("SOPClassUID",))
                found = {m.get("SOPClassUID") for m in self.find(query, cancel)}
            elif target.level is Level.STUDY:
                query = by_uid(Level.STUDY, target.study_uid, keys=("SOPClassesInStudy",))
                found = {uid for m in self.find(query, cancel) for uid in m.get("SOPClassesInStudy").split("\\")}
        except Refused:
            return ctx.COMMON_STORAGE_CLASSES
        return sorted(filter(is_uid, found)) or ctx.COMMON_STORAGE_CLASSES


def _encode_target(target: Target, explicit: bool) -> bytes:
    keys = {"PatientID": target.patient_id} if target.root is Root.PATIENT else {}
    if target.level is not Level.PATIENT:
        keys["StudyInstanceUID"] = target.study_uid
    if target.level in (Level.SERIES, Level.IMAGE):
        keys["SeriesInstanceUID"] = target.series_uid
    if target.level is Level.IMAGE:
        keys["SOPInstanceUID"] = "\\".join(target.instance_uids)
    return encode_keys(keys, target.level, explicit)
