"""From the bytes of an answer to JSON that can do no harm: bounded in size and depth, with finite numbers only."""

from __future__ import annotations

import json
import math
import re
import zlib
from collections.abc import Iterable
from typing import Any, Never

from autopilot.kit.unheard import Unheard

DEPTH = 64
"""Levels of nesting that are read. The deepest real answer has nine; a thousand would break whoever walks through it."""

_BRACKETS = re.compile(rb'(?s)"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]')
"""A string as a whole, so that brackets inside do not count; each byte is looked at once, whatever the bytes are."""
_HALF_CHARACTER = re.compile(rb"\\u[dD][89a-fA-F]")


def read(chunks: Iterable[bytes], encoding: str, most: int) -> bytes:
    """The body, unpacked, never more than ``most`` bytes of it. Raises Unheard beyond that, and for a body that breaks off."""
    if encoding in {"", "identity"}:
        return _plain(chunks, most)
    if encoding not in {"gzip", "x-gzip"}:
        raise Unheard(f"is packed as {encoding[:40]!r}, which nobody asked for")
    try:
        return _unpacked(chunks, most)
    except zlib.error as error:
        raise Unheard(f"is not what gzip packs: {error}") from None


def _plain(chunks: Iterable[bytes], most: int) -> bytes:
    body = bytearray()
    for chunk in chunks:
        body += chunk
        _check_size(len(body), most)
    return bytes(body)


def _unpacked(chunks: Iterable[bytes], most: int) -> bytes:
    unpacker, body, packed = zlib.decompressobj(zlib.MAX_WBITS | 16), bytearray(), 0
    for chunk in chunks:
        packed += len(chunk)
        body += unpacker.decompress(chunk, most - len(body) + 1)  # a kilobyte can hold a megabyte: stop inside of the chunk
        _check_size(max(packed, len(body)), most)
    if not unpacker.eof:
        raise Unheard("breaks off in the middle", again=True)
    return bytes(body)


def _check_size(size: int, most: int) -> None:
    if size > most:
        raise Unheard(f"is larger than {most} bytes")


def parse(body: bytes) -> Any:
    """The body as JSON. Raises Unheard for anything else, and for what is too deep or holds a number that is not finite."""
    if not body.strip():
        raise Unheard("is empty")
    if body.lstrip()[:1] == b"<":
        raise Unheard("is a page of HTML instead of JSON")
    _check_depth(body)
    try:
        value = json.loads(body.decode("utf-8-sig"), parse_constant=_not_a_number, parse_float=_finite)
        if _HALF_CHARACTER.search(body):
            json.dumps(value, ensure_ascii=False).encode()  # half of a pair is no text: it could be neither stored nor shown
    except ValueError as error:
        raise Unheard(f"is no JSON: {str(error)[:120]}") from None
    return value


def _check_depth(body: bytes) -> None:
    depth = 0
    for token in _BRACKETS.finditer(body):
        byte = body[token.start()]
        depth += (byte in b"[{") - (byte in b"]}")
        if depth > DEPTH:
            raise Unheard(f"is nested deeper than {DEPTH} levels")


def _not_a_number(text: str) -> Never:
    msg = f"{text} is no number"
    raise ValueError(msg)


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _not_a_number(text[:40])
