"""The messages between the driver and MongoDB: OP_MSG, taken apart and put together."""

from copy import replace
from dataclasses import dataclass, field
from typing import Any, Self

import bson
from bson import CodecOptions, DatetimeConversion

HEADER_BYTES = 16
_OP_MSG = 2013
_FLAGS_BYTES = 4
_SEQUENCES = ("documents", "updates", "deletes")

type Document = dict[str, Any]

_ANY_DATE: CodecOptions[Document] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_MS)


def is_command(data: bytes) -> bool:
    """Return whether a message is an OP_MSG, of a kind that the driver of these tests sends."""
    return int.from_bytes(data[12:16], "little") == _OP_MSG and not int.from_bytes(data[16:20], "little") & 1


@dataclass(frozen=True)
class Message:
    """A command or its answer; the documents of a write are apart from its body."""

    number: int
    answers: int
    body: Document
    sequence: str = ""
    documents: list[bytes] = field(default_factory=list)
    flags: int = 0

    @classmethod
    def read(cls, data: bytes) -> Self:
        """Take apart the bytes of a message."""
        number, answers = _number(data, 4), _number(data, 8)
        flags = _number(data, HEADER_BYTES)
        at, sequence = HEADER_BYTES + _FLAGS_BYTES, ""
        body: Document = {}
        documents: list[bytes] = []
        while at < len(data):
            kind, size = data[at], _number(data, at + 1)
            section = data[at + 1 : at + 1 + size]
            at += 1 + size
            if kind == 0:
                body = bson.decode(section, _ANY_DATE)
            else:
                sequence, documents = _sequence(section)
        return cls(number, answers, body, sequence, documents, flags)

    @property
    def command(self) -> str:
        return str(next(iter(self.body)))

    @property
    def collection(self) -> str:
        value = self.body["collection"] if self.command == "getMore" else next(iter(self.body.values()))
        return str(value)

    def answer(self, body: Document) -> "Message":
        """Return the answer of a server to this command."""
        return Message(0, self.number, body)

    def error(self, code: int, name: str, text: str) -> "Message":
        """Return the answer of a server that refuses this command."""
        return self.answer({"ok": 0.0, "errmsg": text, "code": code, "codeName": name})

    def with_documents(self, documents: list[bytes]) -> "Message":
        return replace(self, documents=documents)

    def with_body(self, body: Document) -> "Message":
        return replace(self, body=body)

    def write(self) -> bytes:
        """Return the bytes of the message."""
        content = self.flags.to_bytes(_FLAGS_BYTES, "little") + b"\0" + bson.encode(self.body)
        if self.sequence:
            section = self.sequence.encode() + b"\0" + b"".join(self.documents)
            content += b"\1" + (len(section) + 4).to_bytes(4, "little") + section
        length = HEADER_BYTES + len(content)
        header = b"".join(value.to_bytes(4, "little") for value in (length, self.number, self.answers, _OP_MSG))
        return header + content


def _sequence(section: bytes) -> tuple[str, list[bytes]]:
    end = section.index(b"\0", 4)
    name, at, documents = section[4:end].decode(), end + 1, []
    assert name in _SEQUENCES
    while at < len(section):
        size = _number(section, at)
        documents.append(section[at : at + size])
        at += size
    return name, documents


def _number(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")
