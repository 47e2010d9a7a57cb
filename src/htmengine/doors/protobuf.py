"""Protocol Buffers as doors need them: small schemas in Python, and bodies cut into records.

A schema names the fields that are read; the library skips all others. A body is decoded piece by piece, because what is
decoded may be thirty times as large as its bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Final

from htmengine.doors.reasons import Reason
from htmengine.doors.samples import UnreadableBody

MAX_RECORD: Final = 4 << 20
"""Bytes of a record that is decoded at once."""

_SCALARS: Final = (
    "bool",
    "bytes",
    "double",
    "fixed64",
    "int32",
    "int64",
    "sfixed64",
    "sint32",
    "string",
    "uint32",
    "uint64",
)
_REPEATED: Final = "repeated "
_OPTIONAL: Final = "optional "
_VARINT, _BYTES = 0, 2
_FIXED: Final = {1: 8, 5: 4}
_PIECE: Final = 1 << 16
_NO_MESSAGE: Final = "it is no such message of Protocol Buffers"


class Messages:
    """The messages of a schema. Their classes are made when the first one is needed: few engines get any.

    Parameters
    ----------
    schema : the fields of each message: number, type, name. A type is a scalar of Protocol Buffers or another message of
        the schema, after "repeated " for a list and "optional " for a scalar that tells whether it was given.
    """

    def __init__(self, package: str, schema: Mapping[str, Sequence[tuple[int, str, str]]]) -> None:
        self._package = package
        self._schema = schema

    def decoded(self, name: str, piece: bytes) -> Any:
        """Return a message of this name. Raises UnreadableBody."""
        from google.protobuf.message import DecodeError

        try:
            return self.classes[name].FromString(piece)
        except DecodeError:
            raise UnreadableBody(Reason.NOT_DECODABLE, _NO_MESSAGE) from None

    @cached_property
    def classes(self) -> dict[str, Any]:
        """A class for each message."""
        from google.protobuf import descriptor_pool, message_factory
        from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto

        package = self._package
        file = FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3")
        for message, fields in self._schema.items():
            described = file.message_type.add(name=message)
            for number, kind, name in fields:
                field = described.field.add(
                    name=name, number=number, label=FieldDescriptorProto.LABEL_OPTIONAL
                )
                if kind.startswith(_REPEATED):
                    kind, field.label = kind.removeprefix(_REPEATED), FieldDescriptorProto.LABEL_REPEATED
                elif kind.startswith(_OPTIONAL):
                    kind, field.proto3_optional = kind.removeprefix(_OPTIONAL), True
                    field.oneof_index = len(described.oneof_decl)
                    described.oneof_decl.add(name=f"_{name}")
                if kind in _SCALARS:
                    field.type = getattr(FieldDescriptorProto, f"TYPE_{kind.upper()}")
                else:
                    field.type, field.type_name = FieldDescriptorProto.TYPE_MESSAGE, f".{package}.{kind}"
        pool = descriptor_pool.DescriptorPool()
        pool.AddSerializedFile(file.SerializeToString())
        return {
            name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}"))
            for name in self._schema
        }


def pieces(body: bytes, *, most: int, longest: int = MAX_RECORD) -> Iterator[bytes]:
    """Cut a message between its fields into messages of some ten thousand bytes, which together say the same.

    Raises UnreadableBody: damaged, more than `most` fields of several bytes, or one with more than `longest` of them.
    """
    begin, at, end = 0, 0, len(body)
    try:
        while at < end:
            key, at = _varint(body, at)
            kind = key & 7
            if kind == _BYTES:
                length, at = _varint(body, at)
                if at + length > end:
                    break
                if length > longest:
                    raise UnreadableBody(Reason.TOO_LARGE, f"a record of {length} bytes")
                most -= 1
                if most < 0:
                    raise UnreadableBody(Reason.TOO_MANY)
                at += length
            elif kind == _VARINT:
                _, at = _varint(body, at)
            elif kind in _FIXED:
                at += _FIXED[kind]
            else:
                raise UnreadableBody(Reason.NOT_DECODABLE, _NO_MESSAGE)
            if at - begin >= _PIECE and at <= end:
                yield body[begin:at]
                begin = at
    except IndexError:
        at = -1  # within a number
    if at != end:
        raise UnreadableBody(Reason.NOT_DECODABLE, _NO_MESSAGE)
    if begin < end:
        yield body[begin:]


def _varint(body: bytes, at: int) -> tuple[int, int]:
    """Return a number and where it ends. Raises IndexError where it does not end."""
    byte = body[at]
    at += 1
    if byte < 128:
        return byte, at
    value, shift = byte & 127, 7
    while True:
        byte = body[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
        if shift > 63:
            raise UnreadableBody(Reason.NOT_DECODABLE, "a number has more than ten bytes")
