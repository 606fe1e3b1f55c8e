"""C-STORE as SCU: instances over an association that is open (PS3.7 9.1.1, PS3.4 annex B)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass

from pacs_tui.dimse import command as cmd
from pacs_tui.dimse import contexts as ctx
from pacs_tui.dimse.association import Association
from pacs_tui.dimse.part10 import Reader
from pacs_tui.dimse.upper_layer import Violation
from pacs_tui.errors import PictureError, StorageError
from pacs_tui.model.transfer import Held, Sent

_log = logging.getLogger(__name__)
NO_CONTEXT = 0x0122
"""SOP class not supported (PS3.7 C.5.6): what we report where no context was accepted."""
UNREADABLE = 0xC000
_PLAIN = (ctx.EXPLICIT, ctx.IMPLICIT, ctx.DEFLATED, ctx.BIG_ENDIAN)
"""Transfer syntaxes an instance may be converted to, the best first; none of them can lose anything."""

Transcode = Callable[[Held, Sequence[str]], AbstractContextManager[Held]]
"""The same instance in one of these transfer syntaxes, in a file that is gone when the context manager closes.

Raises PictureError or StorageError, in a sentence, on entering.
"""


@dataclass(frozen=True, slots=True)
class Ready:
    """An instance that only has to be written to the line."""

    held: Held
    context: int
    data: memoryview
    done: ExitStack
    """Gives the file back; to be closed when it was sent, or never will be."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How instances are sent, the same for all of one operation."""

    transcode: Transcode | None = None
    originator: str = ""
    """AE title whose C-MOVE this is, with the message id of that C-MOVE (PS3.7 9.3.1.1)."""
    originator_id: int = 0
    priority: int = 0


class Sender:
    """Instances over one association: the next is prepared while the answer to the last is awaited.

    Only one C-STORE is outstanding at a time: more needs an asynchronous window (PS3.7 D.3.3.3), which nobody grants.
    """

    def __init__(self, association: Association, manner: Manner | None = None) -> None:
        self.association = association
        self._manner = manner or Manner()
        self._reader = Reader()
        self._routes: dict[tuple[str, str], tuple[ctx.Context, ...]] = {}

    def stream(self, instances: Iterable[Held]) -> Generator[tuple[Held, Sent], None, None]:
        """Send all, one answer each, in order; NetworkError or Violation where the line breaks."""
        upcoming = iter(instances)
        following = self._following(upcoming)
        try:
            while following is not None:
                (held, ready), following = following, None
                if isinstance(ready, Ready):
                    self.send(ready)
                    following = self._following(upcoming)
                    yield held, self.answer(held)
                else:
                    yield held, ready
                    following = self._following(upcoming)
        finally:
            if following is not None and isinstance(following[1], Ready):
                following[1].done.close()

    def _following(self, upcoming: Iterator[Held]) -> tuple[Held, Ready | Sent] | None:
        held = next(upcoming, None)
        return None if held is None else (held, self.prepare(held))

    def prepare(self, held: Held) -> Ready | Sent:
        """Open the file of an instance, or transcode it; Sent, without the network, for one that cannot be sent."""
        contexts = self._route(held)
        if not contexts:
            return Sent(held.sop_instance, NO_CONTEXT, f"{held.sop_class} in {held.transfer_syntax} was not accepted")
        done = ExitStack()
        try:
            context, lying = contexts[0], held
            if context.transfer_syntax != held.transfer_syntax:
                assert self._manner.transcode is not None
                syntaxes = [each.transfer_syntax for each in contexts]
                lying = done.enter_context(self._manner.transcode(held, syntaxes))
                context = contexts[syntaxes.index(lying.transfer_syntax)]
            return Ready(held, context.id, self._reader.data_set(lying, done), done)
        except (StorageError, PictureError) as error:
            done.close()
            _log.error("%s (%s) is not sent: %s", held.sop_instance, held.path, error)
            return Sent(held.sop_instance, UNREADABLE, str(error))
        except BaseException:
            done.close()
            raise

    def changes(self, held: Held) -> bool:
        """True when an instance has to be transcoded, which takes its time."""
        return any(context.transfer_syntax != held.transfer_syntax for context in self._route(held)[:1])

    def send(self, ready: Ready) -> None:
        """Write an instance to the line and give its file back."""
        manner, held = self._manner, ready.held
        elements: list[tuple[int, cmd.Value]] = [
            (cmd.AFFECTED_CLASS, held.sop_class),
            (cmd.FIELD, cmd.C_STORE_RQ),
            (cmd.MESSAGE_ID, self.association.next_message_id()),
            (cmd.PRIORITY, manner.priority),
            (cmd.DATA_SET_TYPE, cmd.DATA_SET),
            (cmd.AFFECTED_INSTANCE, held.sop_instance),
        ]
        if manner.originator:
            elements += [(cmd.ORIGINATOR, manner.originator), (cmd.ORIGINATOR_ID, manner.originator_id)]
        with ready.done:
            self.association.send(ready.context, cmd.pack(*elements), ready.data)

    def answer(self, held: Held) -> Sent:
        """Read the C-STORE-RSP."""
        return answered(self.association.receive().command, held)

    def _route(self, held: Held) -> tuple[ctx.Context, ...]:
        """The contexts an instance may go by, the best first; more than one where it has to be transcoded."""
        key = held.sop_class, held.transfer_syntax
        found = self._routes.get(key)
        if found is None:
            exact = self.association.context_for(*key)
            others = [self.association.context_for(held.sop_class, s) for s in _PLAIN if s != held.transfer_syntax]
            if exact is not None:
                found = (exact,)
            else:
                found = tuple(filter(None, others)) if self._manner.transcode is not None else ()
            self._routes[key] = found
        return found


def store(association: Association, held: Held) -> Sent:
    """Send one instance and wait for its C-STORE-RSP.

    An instance for which no context was accepted, or whose file cannot be read, is answered without the network.
    """
    return next(Sender(association).stream([held]))[1]


def answered(command: cmd.Command, held: Held) -> Sent:
    """What a C-STORE-RSP says; Violation when it is something else."""
    if command.number(cmd.FIELD) != cmd.C_STORE_RSP:
        raise Violation(f"a command {command.number(cmd.FIELD):04X} in answer to C-STORE-RQ", 2)
    return Sent(held.sop_instance, command.number(cmd.STATUS), command.text(cmd.COMMENT))


Pair = tuple[str, str]
"""SOP class and transfer syntax."""


def proposals(pairs: Iterable[Pair]) -> list[ctx.Proposal]:
    """A context for each pair as it is stored, and one for each class with what any of it can be converted to.

    Each of an acceptor's contexts has one syntax (PS3.8 9.3.3.2), so only separate ones say what it takes as it lies.
    """
    stored = dict.fromkeys(pairs)
    wanted = ctx.for_storage(stored)
    for sop_class in dict.fromkeys(sop_class for sop_class, _ in stored):
        plain = tuple(syntax for syntax in (ctx.EXPLICIT, ctx.IMPLICIT) if (sop_class, syntax) not in stored)
        if plain:
            wanted.append(ctx.Proposal(sop_class, plain))
    return wanted


def batches(instances: Iterable[Held]) -> Iterator[Sequence[Held]]:
    """Runs of instances whose presentation contexts fit into one association (PS3.8 9.3.2.2: 128)."""
    batch: list[Held] = []
    pairs: set[Pair] = set()
    for held in instances:
        pair = (held.sop_class, held.transfer_syntax)
        if pair not in pairs and len(pairs) == ctx.MAX_CONTEXTS:
            yield batch
            batch, pairs = [], set()
        pairs.add(pair)
        batch.append(held)
    if batch:
        yield batch
