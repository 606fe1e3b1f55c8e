"""The statuses of explain.py's table: `status:SERVICE:HEX`, `*` for any service, `x` for any hexadecimal digit."""

from __future__ import annotations

from pacs_tui.explanations import Entry

_THEIR_LOG = (
    "Please look into the log of {called} for the request from {calling} at this time: what does it complain about?"
)

FIND: dict[str, Entry] = {
    "status:C-FIND:A7xx": (
        "{Node} refused the query: it is out of resources.",
        "The query matches too much, or the peer's database or memory is at its limit.",
        "Narrow the query (a date, a modality, an ID) and try again.",
        "How many matches do you return at most, and is your database healthy?",
    ),
    "status:C-FIND:A710": (
        "{Node} refused the query: the prior record key is invalid.",
        "The peer pages through its answers and has forgotten the place where we stood.",
        "Run the query again from the beginning.",
        _THEIR_LOG,
    ),
    "status:C-FIND:A9xx": (
        "{Node} refused the query: its keys do not fit the information model.",
        "A key is at the wrong level, a unique key of a higher level is missing, or a value is malformed; a series: key"
        " needs a peer that answers relational queries.",
        "Leave fields out until it answers; the keys really sent are shown with the query.",
        "Which attribute of the query from {calling} do you refuse, and do you support relational queries?",
    ),
    "status:C-FIND:Cxxx": (
        "{Node} was unable to process the query (status {status}).",
        "An error inside the peer, often its database; sometimes one of the keys.",
        "Try a simple query such as date:today. If that works, leave fields out one by one.",
        _THEIR_LOG,
    ),
    "status:C-FIND:B001": (
        "{Node} stopped at its own limit; more matches exist.",
        "The peer returns only so many matches for each query.",
        "Narrow the query, for example by date.",
        "How many matches do you return at most, and can it be raised for {calling}?",
    ),
}  # fmt: skip
"""PS3.4 C.4.1.1.4."""

_OUT_OF_RESOURCES_COUNT = (
    "{Node} refused: it has not the resources to work out how many instances match.",
    "Its database is overloaded, or the request covers very much.",
    "Try again with one study or one series.",
    "Is your database healthy, and is there a limit on retrieve requests?",
)
_FRAMES = (
    "{Node} could not extract the frames that were asked for (status {status}).",
    "The request asks for single frames of an instance that has none of them.",
    "Retrieve the whole instance.",
    _THEIR_LOG,
)

MOVE: dict[str, Entry] = {
    "status:C-MOVE:A701": _OUT_OF_RESOURCES_COUNT,
    "status:C-MOVE:A702": (
        "{Node} had not the resources to send to {destination}; nothing, or not all, was sent.",
        "The source cannot open an association to the destination, its send queue is full, or the instances cannot"
        " be read from its storage.",
        "Echo {destination} from the source's own console, then retry the job.",
        "At {node}: can you reach {destination}, and what does your log say about the sub-operations?",
    ),
    "status:C-MOVE:A801": (
        "{Node} does not know the move destination {destination}.",
        "In a C-MOVE only the AE title is sent; the source looks up host and port in a table of its own, and there the"
        " entry is missing or spelled differently.",
        "Send the lines below to the administrator of {node}, then retry. To receive here instead, use get.",
        "Please enter this destination at {called}: AE title {destination}, host {destination_host},"
        " port {destination_port}.\n"
        "In dcmqrscp.cfg, between HostTable BEGIN and HostTable END:\n"
        "    {symbol} = ({destination}, {destination_host}, {destination_port})\n"
        "and, where the AETable does not say ANY, {symbol} among the peers of {called}.\n"
        "In Orthanc's configuration:\n"
        '    "DicomModalities" : {{ "{symbol}" : [ "{destination}", "{destination_host}", {destination_port} ] }}',
    ),
    "status:C-MOVE:A9xx": (
        "{Node} refused the move: the request does not fit the information model.",
        "It does not support moves at this level, or wants the unique keys of the levels above.",
        "Move the whole study instead of single series or instances.",
        "At which levels do you support C-MOVE (Study Root)?",
    ),
    "status:C-MOVE:AAxx": _FRAMES,
    "status:C-MOVE:B000": (
        "{Node} sent to {destination}, but some instances failed.",
        "The destination refused them: an unknown SOP class or transfer syntax, or a full disk.",
        "Retry the job; if the same ones fail again, look at their SOP class and transfer syntax.",
        "At {destination}: which instances from {node} did you refuse, and with which status?",
    ),
    "status:C-MOVE:Cxxx": (
        "{Node} was unable to process the move to {destination} (status {status}).",
        "An error inside the source: often it cannot reach the destination, or the study is offline or damaged.",
        "Echo {destination}, look for the study at the source once more, then retry the job.",
        _THEIR_LOG,
    ),
}  # fmt: skip
"""PS3.4 C.4.2.1.5."""

GET: dict[str, Entry] = {
    "status:C-GET:A701": _OUT_OF_RESOURCES_COUNT,
    "status:C-GET:A702": (
        "{Node} had not the resources to send the instances.",
        "It cannot read them from its storage, or is overloaded.",
        "Try again with one series; or set the node to retrieve by C-MOVE.",
        _THEIR_LOG,
    ),
    "status:C-GET:A9xx": (
        "{Node} refused the retrieval: the request does not fit the information model.",
        "It does not support C-GET at this level, or wants the unique keys of the levels above.",
        "Set the node to retrieve by C-MOVE, or fetch the whole study.",
        "At which levels do you support C-GET (Study Root)?",
    ),
    "status:C-GET:AAxx": _FRAMES,
    "status:C-GET:B000": (
        "{Node} sent some of the instances; others failed.",
        "Their SOP class or transfer syntax was not negotiated, or the peer could not read them.",
        "Fetch again; what is here already is kept. Or set the node to retrieve by C-MOVE.",
        _THEIR_LOG,
    ),
    "status:C-GET:Cxxx": (
        "{Node} was unable to process the retrieval (status {status}).",
        "An error inside the peer; often the study is offline or damaged.",
        "Look for the study once more, then fetch again.",
        _THEIR_LOG,
    ),
}  # fmt: skip
"""PS3.4 C.4.3.1.4."""

STORE: dict[str, Entry] = {
    "status:C-STORE:A7xx": (
        "{Node} refused an instance: it is out of resources.",
        "Its disk is full, or it is overloaded.",
        "Stop sending until there is room, then send the missing ones.",
        "Is there room in the storage of {called}, and is there a quota for {calling}?",
    ),
    "status:C-STORE:A9xx": (
        "{Node} refused an instance: its data set does not match its SOP class.",
        "The instance lacks attributes that its class requires, or the peer is stricter than others.",
        "Look at the instance's tags; send the others.",
        "Which attribute do you miss in the refused instance?",
    ),
    "status:C-STORE:B000": (
        "{Node} keeps the instance, but changed values in it.",
        "Archives coerce patient or study attributes to those they know already.",
        "Compare patient name and ID at both ends.",
        "Which attributes did you change, and from which source?",
    ),
    "status:C-STORE:B006": (
        "{Node} keeps the instance, but threw elements away.",
        "It does not store private or unknown attributes.",
        "Compare the tags at both ends if they matter.",
        "Which elements does {called} not keep?",
    ),
    "status:C-STORE:B007": (
        "{Node} keeps the instance, though its data set does not match its SOP class.",
        "The instance lacks attributes that its class requires.",
        "Nothing has to be done; the instance is there.",
        "Which attribute do you miss in the instance?",
    ),
    "status:C-STORE:Cxxx": (
        "{Node} could not understand an instance (status {status}).",
        "The data set is damaged, or it is in a form the peer's software cannot parse.",
        "Look at the instance's tags; send the others.",
        _THEIR_LOG,
    ),
    "status:C-STORE:0117": (
        "{Node} refused an instance: its SOP instance UID is invalid.",
        "The UID breaks the rules (more than 64 characters, letters, an empty part).",
        "The instance has to be repaired where it was made.",
        "Which UID do you refuse, and can the rule be relaxed?",
    ),
}  # fmt: skip
"""PS3.4 B.2.3 and PS3.7 9.1.1.1.9."""

_MALFORMED_CAUSE = "The peer's software reads the command differently than ours, or has a fault."
_MALFORMED_NEXT = "Try again; note the peer's software and version if it stays."

GENERAL: dict[str, Entry] = {
    "status:*:0000": ("{Node} reports success.", "None.", "Nothing has to be done.", "Nothing."),
    "status:*:0001": (
        "{Node} did it with a warning.",
        "The peer does not support all that was asked.",
        "Check the result.",
        _THEIR_LOG,
    ),
    "status:*:0105": ("{Node} does not know an attribute (0105).", _MALFORMED_CAUSE, _MALFORMED_NEXT, _THEIR_LOG),
    "status:*:0106": (
        "{Node} holds the value of an attribute to be invalid (0106).",
        "A value in the request or instance breaks its rules.",
        "Look at the values that were sent.",
        "Which attribute is invalid for your system?",
    ),
    "status:*:0107": (
        "{Node} did it, but did not recognize some attributes (0107).",
        "Optional attributes it does not support.",
        "Check the result.",
        "Which attributes do you not support?",
    ),
    "status:*:0110": (
        "{Node} failed while processing the request (0110).",
        "An error inside the peer: its database, its disk, or the instance.",
        "Try again later with a single study.",
        _THEIR_LOG,
    ),
    "status:*:0111": (
        "{Node} holds this SOP instance already (0111).",
        "It was sent before, and the peer does not take it twice.",
        "Ask it what it holds; nothing has to be sent again.",
        "Do you refuse instances that you hold already?",
    ),
    "status:*:0112": (
        "{Node} does not know the SOP instance (0112).",
        "It was deleted or never arrived.",
        "Query it again.",
        "Do you hold the instance?",
    ),
    "status:*:0113": ("{Node} does not know the event type (0113).", _MALFORMED_CAUSE, _MALFORMED_NEXT, _THEIR_LOG),
    "status:*:0114": (
        "{Node} does not know an argument of the request (0114).",
        _MALFORMED_CAUSE,
        _MALFORMED_NEXT,
        _THEIR_LOG,
    ),
    "status:*:0115": (
        "{Node} holds an argument of the request to be invalid (0115).",
        _MALFORMED_CAUSE,
        _MALFORMED_NEXT,
        _THEIR_LOG,
    ),
    "status:*:0116": (
        "{Node} did it, but a value was out of its range (0116).",
        "The peer used another value instead.",
        "Check the result.",
        "Which value did you change?",
    ),
    "status:*:0117": (
        "{Node} holds the SOP instance UID to be invalid (0117).",
        "The UID breaks the rules.",
        "Look at the UID that was sent.",
        "Which UID do you refuse?",
    ),
    "status:*:0118": (
        "{Node} does not know the SOP class (0118).",
        "This kind of object or service is not supported there.",
        "Compare with the peer's conformance statement.",
        "Please support or enable this SOP class for {calling}.",
    ),
    "status:*:0119": (
        "{Node} says that SOP class and instance contradict each other (0119).",
        "It holds an instance of the same UID but another class.",
        "Compare the instance at both ends.",
        "What do you hold under this UID?",
    ),
    "status:*:0120": (
        "{Node} misses an attribute (0120).",
        "The request or instance lacks what the peer requires.",
        "Look at what was sent.",
        "Which attribute do you miss?",
    ),
    "status:*:0121": (
        "{Node} misses the value of an attribute (0121).",
        "The request or instance has an empty value where the peer requires one.",
        "Look at what was sent.",
        "Which value do you miss?",
    ),
    "status:*:0122": (
        "{Node} refused: it does not support this SOP class (0122).",
        "The service or kind of object is switched off there, or not allowed for {calling}.",
        "Compare with the peer's conformance statement.",
        "Please support or enable this SOP class for {calling}.",
    ),
    "status:*:0123": ("{Node} does not know the action (0123).", _MALFORMED_CAUSE, _MALFORMED_NEXT, _THEIR_LOG),
    "status:*:0124": (
        "{Node} refused: {calling} is not authorized (0124).",
        "The peer limits this operation to certain AE titles or users.",
        "Use the calling AE title that was agreed.",
        "Please allow {calling} this operation at {called}.",
    ),
    "status:*:0210": (
        "{Node} saw the same message number twice (0210).",
        _MALFORMED_CAUSE,
        _MALFORMED_NEXT,
        _THEIR_LOG,
    ),
    "status:*:0211": (
        "{Node} does not recognize the operation (0211).",
        "The service is not implemented or switched off there.",
        "Compare with the peer's conformance statement.",
        "Do you support this operation?",
    ),
    "status:*:0212": (
        "{Node} found a mistyped argument in the request (0212).",
        _MALFORMED_CAUSE,
        _MALFORMED_NEXT,
        _THEIR_LOG,
    ),
    "status:*:0213": (
        "{Node} is at the limit of its resources (0213).",
        "It is overloaded or its storage is full.",
        "Wait a minute and try again with less.",
        "Is {called} overloaded or its storage full?",
    ),
    "status:*:FE00": (
        "The operation was cancelled, and {node} confirmed it.",
        "Somebody cancelled it here or there.",
        "Start it again if it was not meant.",
        "Did you cancel the operation?",
    ),
    "status:*:FF00": (
        "{Node} was still working when the operation ended.",
        "The association ended before the final answer.",
        "Try again.",
        _THEIR_LOG,
    ),
    "status:*:FF01": (
        "{Node} was still working when the operation ended; it does not support some of the optional keys.",
        "The association ended before the final answer.",
        "Try again.",
        _THEIR_LOG,
    ),
    "status:*:A7xx": (
        "{Node} refused: it is out of resources (status {status}).",
        "It is overloaded or its storage is full.",
        "Wait a minute and try again with less.",
        "Is {called} overloaded or its storage full?",
    ),
    "status:*:A9xx": (
        "{Node} refused: the data does not match the SOP class (status {status}).",
        "The peer requires something that was not sent.",
        "Try with less, or another study.",
        _THEIR_LOG,
    ),
    "status:*:Axxx": (
        "{Node} refused with status {status}.",
        "A refusal of the peer's own kind.",
        "Try again with less, or another study.",
        "What does your system mean by status {status}?",
    ),
    "status:*:Bxxx": (
        "{Node} did it with a warning (status {status}).",
        "The peer did not do all that was asked.",
        "Check the result at the peer.",
        "What does your system mean by status {status}?",
    ),
    "status:*:Cxxx": (
        "{Node} was unable to process the request (status {status}).",
        "An error inside the peer.",
        "Try again later with a single study.",
        _THEIR_LOG,
    ),
    "status": (
        "{Node} answered with status {status}, which the standard does not define.",
        "The peer's software uses a value of its own.",
        "Try again; note the status if it stays.",
        "What does your system mean by status {status}?",
    ),
}
"""What any service may answer (PS3.7 annex C), and the classes of statuses."""

STATUSES: dict[str, Entry] = {**FIND, **MOVE, **GET, **STORE, **GENERAL}
