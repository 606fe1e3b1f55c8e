"""C-STORE as SCU: instances over an association that is open (PS3.7 9.1.1, PS3.4 annex B)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pacs_tui.dimse import command as cmd
from pacs_tui.dimse.association import Association
from pacs_tui.dimse.contexts import MAX_CONTEXTS
from pacs_tui.dimse.part10 import MappedDataSet
from pacs_tui.dimse.upper_layer import Violation
from pacs_tui.errors import StorageError
from pacs_tui.model.transfer import Held, Sent

NO_CONTEXT = 0x0122
"""SOP class not supported (PS3.7 C.5.6): what we report where no context was accepted."""
UNREADABLE = 0xC000


def store(
    association: Association, held: Held, originator: str = "", originator_id: int = 0, answer: bool = True
) -> Sent | None:
    """Send one instance and wait for its C-STORE-RSP; None with `answer` false, where the caller reads the response.

    An instance for which no context was accepted, or whose file cannot be read, is answered without the network.
    """
    context = association.context_for(held.sop_class, held.transfer_syntax)
    if context is None:
        return Sent(held.sop_instance, NO_CONTEXT, f"{held.sop_class} in {held.transfer_syntax} was not accepted")
    elements: list[tuple[int, cmd.Value]] = [
        (cmd.AFFECTED_CLASS, held.sop_class),
        (cmd.FIELD, cmd.C_STORE_RQ),
        (cmd.MESSAGE_ID, association.next_message_id()),
        (cmd.PRIORITY, 0),
        (cmd.DATA_SET_TYPE, cmd.DATA_SET),
        (cmd.AFFECTED_INSTANCE, held.sop_instance),
    ]
    if originator:
        elements += [(cmd.ORIGINATOR, originator), (cmd.ORIGINATOR_ID, originator_id)]
    try:
        with MappedDataSet(held.path) as data:
            association.send(context.id, cmd.pack(*elements), data)
    except StorageError as error:
        return Sent(held.sop_instance, UNREADABLE, str(error))
    return answered(association.receive().command, held) if answer else None


def answered(command: cmd.Command, held: Held) -> Sent:
    """What a C-STORE-RSP says; Violation when it is something else."""
    if command.number(cmd.FIELD) != cmd.C_STORE_RSP:
        raise Violation(f"a command {command.number(cmd.FIELD):04X} in answer to C-STORE-RQ", 2)
    return Sent(held.sop_instance, command.number(cmd.STATUS), command.text(cmd.COMMENT))


def batches(instances: Iterable[Held]) -> Iterator[Sequence[Held]]:
    """Runs of instances whose presentation contexts fit into one association (PS3.8 9.3.2.2: 128)."""
    batch: list[Held] = []
    pairs: set[tuple[str, str]] = set()
    for held in instances:
        pair = (held.sop_class, held.transfer_syntax)
        if pair not in pairs and len(pairs) == MAX_CONTEXTS:
            yield batch
            batch, pairs = [], set()
        pairs.add(pair)
        batch.append(held)
    if batch:
        yield batch
