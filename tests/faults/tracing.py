"""What a process asked of the kernel, in order: strace's account of it, read back."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.interop.foreign import program

CALLS = (
    "openat,write,writev,pwrite64,pwritev,fsync,fdatasync,sync_file_range,link,linkat,rename,renameat,renameat2,"
    "unlink,unlinkat,mkdir,mkdirat,sendmsg,sendto"
)
_WHOLE = re.compile(r"^(?P<pid>\d+) +(?P<name>\w+)\((?P<rest>.*)$")
_RESUMED = re.compile(r"^(?P<pid>\d+) +<\.\.\. (?P<name>\w+) resumed>(?P<rest>.*)$")
_UNFINISHED = " <unfinished ...>"
_RESULT = re.compile(r"\) += (-?\d+|\?)")
_STRING = re.compile(r'iov_base="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Call:
    """One system call; `began` and `ended` count lines of the account."""

    name: str
    text: str
    """Its arguments and its result, descriptors with their paths."""
    began: int
    ended: int

    @property
    def result(self) -> int:
        found = _RESULT.search(self.text)
        return int(found[1]) if found and found[1] != "?" else -1

    def before(self, other: Call) -> bool:
        """True when it had returned before the other was asked for."""
        return self.ended < other.began

    def sent(self) -> bytes:
        """The first bytes a sendmsg handed over."""
        return b"".join(codecs.decode(text, "unicode_escape").encode("latin-1") for text in _STRING.findall(self.text))


def under(account: Path, *more: str) -> list[str]:
    """The words before a command whose calls are to be written to `account`."""
    return [program("strace"), "-f", "-y", "-x", "-s", "512", "-o", str(account), "-e", f"trace={CALLS}", *more]


def read(account: Path) -> list[Call]:
    """All calls, in the order in which they began."""
    calls: list[Call] = []
    open_calls: dict[str, tuple[str, str, int]] = {}
    for number, line in enumerate(account.read_text(errors="replace").splitlines()):
        if found := _RESUMED.match(line):
            name, text, began = open_calls.pop(found["pid"])
            calls.append(Call(name, text + found["rest"], began, number))
        elif found := _WHOLE.match(line):
            if found["rest"].endswith(_UNFINISHED):
                open_calls[found["pid"]] = (found["name"], found["rest"].removesuffix(_UNFINISHED), number)
            else:
                calls.append(Call(found["name"], found["rest"], number, number))
    return sorted(calls, key=lambda call: call.began)


def those(calls: Sequence[Call], names: str, fits: Callable[[str], object]) -> list[Call]:
    """Calls of these names (words) that succeeded and whose text fits."""
    return [call for call in calls if call.name in names.split() and call.result >= 0 and fits(call.text)]
