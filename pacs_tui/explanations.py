"""The table behind explain.py: code -> what happened, likely cause, next step, what to ask the other side.

{Node} and {node} are the peer that was asked, at the beginning and in the middle of a sentence; {called} its AE title,
{calling} ours; {destination} the AE title instances were to go to. Braces that shall be printed are doubled.
"""

from __future__ import annotations

Entry = tuple[str, str, str, str]

NEUTRAL: dict[str, str] = {
    "node": "the peer",
    "host": "its host",
    "port": "its port",
    "called": "its AE title",
    "calling": "our AE title",
    "destination": "the destination",
    "destination_host": "HOST",
    "destination_port": "PORT",
    "what": "the service",
    "status": "a status of its own",
    "path": "our disk",
    "worker": "the worker",
    "held": "some",
    "total": "the planned",
    "code": "a code of its own",
    "lasting": "for good",
}
"""What stands for a fact that nobody gave."""

_NOTHING = "Nothing yet."
_THEIR_LOG = (
    "Please look into the log of {called} for an association from {calling} at this time: what does it complain about?"
)

CONNECTION: dict[str, Entry] = {
    "tcp:refused": (
        "{Node} is there, but nothing accepts connections on {host} port {port}.",
        "The DICOM service is stopped, or it listens on another port; a firewall may also answer in its place.",
        "Check the port of the node (pacs-tui nodes list). From this machine try: nc -vz {host} {port}",
        "Is the DICOM service {called} running, and on which port does it listen?",
    ),
    "tcp:reset": (
        "{Node} broke the connection off without a DICOM message.",
        "Its service crashed or was restarted, or a firewall cut the connection; some systems do this to"
        " unknown hosts.",
        "Try echo again. If it works and the operation fails each time, the request itself brings the peer down.",
        _THEIR_LOG,
    ),
    "tcp:unreachable": (
        "There is no way through the network to {host}.",
        "The machine is off, the address is wrong, or a route or firewall rule is missing.",
        "Check the host of the node. From this machine try: ping {host}",
        "Is {host} the right address, and may this machine reach port {port} there?",
    ),
    "dns": (
        "The name {host} is not known to the name service.",
        "A typing error in the host of the node, or this machine asks the wrong DNS server.",
        "Try: getent hosts {host} - or enter the IP address in the node.",
        "Which host name or IP address does {called} have?",
    ),
    "timeout:connect": (
        "The attempt to connect to {host} port {port} got no answer.",
        "A firewall drops the packets, or the machine is off or overloaded.",
        "From this machine try: nc -vz -w 5 {host} {port} - if that hangs too, it is the network and not DICOM.",
        "Is port {port} on {host} open for this machine's address?",
    ),
    "timeout:association": (
        "{Node} accepted the connection but did not answer the association request in time.",
        "Something else than DICOM listens there (TLS, HTTP), the service hangs, or it looks our address up in"
        " a slow DNS.",
        "Check the port. If the peer is only slow, raise timeouts.association in config.toml.",
        "Does {called} speak DICOM without TLS on port {port}, and does it look up the names of its callers?",
    ),
    "timeout:message": (
        "{Node} fell silent in the middle of an operation.",
        "It is busy with a long search or a slow disk or tape, it hangs, or the network path is dead.",
        "Narrow the query and try again. If the peer is only slow, raise timeouts.message in config.toml.",
        _THEIR_LOG,
    ),
    "closed": (
        "{Node} closed the connection in the middle of an operation, without releasing the association.",
        "Its process ended or crashed, or its idle limit is shorter than its own search takes.",
        "Try again. If it happens at the same point each time, the request or one instance brings the peer down.",
        _THEIR_LOG,
    ),
    "protocol": (
        "{Node} sent something that the DICOM standard does not allow at that point.",
        "Another protocol answers on that port, or the peer's software has a fault; the sentence above names"
        " what was wrong.",
        "Check the port with echo. The association was aborted; nothing received in it after the fault is kept.",
        "Which software and version is {called}? Please compare its log with the violation named above.",
    ),
    "context": (
        "{Node} accepts the association, but not {what}.",
        "The service is switched off there, is not licensed, or is not allowed for {calling}.",
        "Compare with the peer's conformance statement. A node that only receives images offers no query.",
        "Please allow {what} for the calling AE title {calling} at {called}.",
    ),
}  # fmt: skip

REJECTIONS: dict[str, Entry] = {
    "rj:1:1": (
        "{Node} rejected the association {lasting} and gives no reason.",
        "Most often {calling} is not in the peer's list of known AE titles, or our address does not fit that entry.",
        "Compare our calling AE title and address with the entry at the peer.",
        "Why do you reject {calling} (we call {called})? Please enter its AE title and address.",
    ),
    "rj:1:2": (
        "{Node} rejected the association {lasting}: it does not support the application context name.",
        "We send the only one DICOM defines, so the peer's software has a fault or is no DICOM system.",
        "Check host and port of the node.",
        "Which software and version answers on {host} port {port}?",
    ),
    "rj:1:3": (
        "{Node} rejected the association {lasting}: it does not know our AE title {calling}.",
        "The peer admits only AE titles that are in its list; capitals and spaces count.",
        "Use the calling AE title that was agreed (the node's own, else ae_title in config.toml), or have ours"
        " entered there.",
        "Please add {calling}, with the address of this machine, to the AE titles that {called} admits.",
    ),
    "rj:1:7": (
        "{Node} rejected the association {lasting}: it does not go by the AE title {called}.",
        "A typing error in the AE title of the node, or several systems share this host and port; capitals and"
        " spaces count.",
        "Correct the AE title of the node: pacs-tui nodes edit NAME --ae-title TITLE",
        "Under which AE title do you answer on {host} port {port}?",
    ),
    "rj:2:1": (
        "{Node} rejected the association {lasting}: its association service gives no reason.",
        "Often an internal error or an access list that works by address.",
        "Try echo again in a minute.",
        _THEIR_LOG,
    ),
    "rj:2:2": (
        "{Node} rejected the association {lasting}: it does not support the protocol version.",
        "There is only version 1, so the peer's software has a fault or is no DICOM system.",
        "Check host and port of the node.",
        "Which software and version answers on {host} port {port}?",
    ),
    "rj:3:1": (
        "{Node} rejected the association {lasting}: it is congested.",
        "It is busy with other transfers, or an earlier association of ours still counts there.",
        "Wait a minute and try again; run fewer jobs at a time (worker_jobs in config.toml).",
        "How many associations do you allow in all and for {calling}, and which are open now?",
    ),
    "rj:3:2": (
        "{Node} rejected the association {lasting}: a local limit is exceeded.",
        "It allows only so many associations in all, or for each AE title or host, and they are taken.",
        "Wait until other transfers have ended, then try again; run fewer jobs at a time (worker_jobs in config.toml).",
        "How many associations do you allow in all and for {calling}, and which are open now?",
    ),
    "rj": (
        "{Node} rejected the association {lasting} with a code that the standard does not define ({code}).",
        "The peer's software uses a value of its own.",
        "Compare AE titles and address with the entry at the peer, then try echo again.",
        "What does your system mean by the rejection {code} (result, source, reason)?",
    ),
}  # fmt: skip
"""A-ASSOCIATE-RJ by source and reason (PS3.8 9.3.4, table 9-21); the result says how lasting it is."""

ABORTS: dict[str, Entry] = {
    "abort:0": (
        "{Node} aborted the association: its application gave up.",
        "An internal error, a limit of the peer, or an instance or query that its software cannot handle.",
        "Try again with a single study. If it fails each time at the same point, that study or query is the cause.",
        _THEIR_LOG,
    ),
    "abort:2:0": (
        "{Node} aborted the association without saying why.",
        "Its network layer ran into a timeout or an error of its own.",
        "Try again; raise timeouts.message in config.toml if the peer is slow.",
        _THEIR_LOG,
    ),
    "abort:2:1": (
        "{Node} aborted the association: it does not know the kind of message (PDU) it received.",
        "Bytes were lost or changed on the way (a proxy, a firewall that inspects DICOM), or its software is very old.",
        "Try again. Find out whether something between the two machines inspects DICOM.",
        _THEIR_LOG,
    ),
    "abort:2:2": (
        "{Node} aborted the association: it did not expect this message at that moment.",
        "Both sides disagree where the conversation stands; often the peer's own timeout ended it in between.",
        "Try again.",
        _THEIR_LOG,
    ),
    "abort:2:4": (
        "{Node} aborted the association: it does not know a parameter of our message.",
        "An old or strict peer that does not ignore unknown items of the negotiation, as the standard asks.",
        "Note the peer's software and version; it needs an exception or an update.",
        "Which item of the association request from {calling} does your system not know?",
    ),
    "abort:2:5": (
        "{Node} aborted the association: a parameter came where it did not expect one.",
        "A strict peer, or bytes that were changed on the way.",
        "Try again; note the peer's software and version.",
        _THEIR_LOG,
    ),
    "abort:2:6": (
        "{Node} aborted the association: it holds the value of a parameter to be invalid.",
        "Often an AE title it cannot read, or a maximum PDU length it does not take.",
        "Check both AE titles of the node for unusual characters.",
        "Which value of the association request from {calling} is invalid for your system?",
    ),
    "abort": (
        "{Node} aborted the association with a code that the standard does not define ({code}).",
        "The peer's software uses a value of its own.",
        "Try again.",
        _THEIR_LOG,
    ),
}  # fmt: skip
"""A-ABORT by source and reason (PS3.8 9.3.8, table 9-26)."""

OUR_SIDE: dict[str, Entry] = {
    "verify:none": (
        "{Node} reported success, but {destination} holds none of the instances.",
        "Some systems answer success before they send, queue the transfer, or send nothing when the destination"
        " refuses.",
        "Wait a minute and retry the job; only what is missing is sent again."
        " See in the log of {destination} whether {node} called at all.",
        "At {node}: did the transfer to {destination} run, and with which result? At {destination}: did {node}"
        " connect, and was it let in?",
    ),
    "verify:partial": (
        "Only {held} of {total} instances are at {destination}.",
        "Some were refused (an unknown SOP class or transfer syntax, a full disk), or are still on their way.",
        "Retry the job; only what is missing is sent again."
        " If the same ones are missing again, look at their SOP class and transfer syntax.",
        "At {destination}: were instances from {node} refused, and why? The job lists the missing UIDs.",
    ),
    "verify:impossible": (
        "{Node} reported the transfer as sent, but {destination} cannot be asked what it holds.",
        "Workstations and print servers often receive only and answer no query; or the query failed this time.",
        "Look for the study at the destination itself. The job stays unverified, which is not the same as failed.",
        "At {destination}: please allow queries (C-FIND, Study Root) from {calling}, so that arrivals can be proved.",
    ),
    "worker:lost": (
        "The process that ran the job disappeared before the job ended.",
        "It was killed, the machine restarted, or memory ran out, and this happened more than once with this job.",
        "Retry the job: it asks the destination what has arrived and sends the rest. See the worker's log in"
        " the state folder.",
        _NOTHING,
    ),
    "disk:full": (
        "There is no room left on {path}.",
        "The disk, or the quota of the user, is full.",
        "Free some room (df -h, du -sh), then retry. What was acknowledged so far is safe.",
        _NOTHING,
    ),
    "unexpected": (
        "Something happened with {node} that this program did not foresee.",
        "The peer answered with something unusual, or this program has a fault.",
        "Try once more. If it comes again, keep the log of the state folder and report it with the sentence above.",
        _NOTHING,
    ),
    "unknown": (
        "The operation with {node} failed with the code {code}.",
        "This code is not in the table of known failures.",
        "Try echo, then the operation again; note the code if it stays.",
        "What does your system mean by {code}?",
    ),
}  # fmt: skip
