"""gzip is gzip, whoever makes it, and what is none is an error."""

import gzip
import importlib
import sys
import zlib
from collections.abc import Iterator
from types import ModuleType

import pytest

from office365_message_trace import packing

DATA = b'{"subject":"Lunch"}' * 5000


@pytest.fixture(params=["with ISA-L", "without"])
def module(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The module as it is imported where ISA-L is installed, and where it is not."""
    if request.param == "without":
        monkeypatch.setitem(sys.modules, "isal", None)
    yield importlib.reload(packing)
    monkeypatch.undo()
    importlib.reload(packing)


def test_isa_l_is_used_where_it_is_installed(module: ModuleType) -> None:
    assert (module.quick is zlib) is (sys.modules["isal"] is None)


def test_what_is_packed_is_gzip_of_a_tenth_of_the_size_and_always_the_same(
    module: ModuleType,
) -> None:
    packed = module.packed(DATA)
    assert gzip.decompress(packed) == DATA
    assert len(packed) < len(DATA) / 10
    assert module.packed(DATA) == packed


@pytest.mark.parametrize("level", [1, 6, 9])
def test_any_gzip_is_unpacked_as_far_as_is_asked_for(module: ModuleType, level: int) -> None:
    unpacker = module.unpacker()
    packed = gzip.compress(DATA, level) + b"more"
    first = unpacker.decompress(packed, 100)
    assert first == DATA[:100]
    assert not unpacker.eof
    rest = unpacker.decompress(unpacker.unconsumed_tail)
    assert first + rest == DATA
    assert unpacker.eof
    assert unpacker.unused_data == b"more"


def test_what_is_torn_has_no_end(module: ModuleType) -> None:
    unpacker = module.unpacker()
    assert DATA.startswith(unpacker.decompress(gzip.compress(DATA)[:-9]) + unpacker.flush())
    assert not unpacker.eof


@pytest.mark.parametrize("body", [b"no gzip at all", gzip.compress(DATA)[:-8] + bytes(8)])
def test_what_is_no_gzip_or_damaged_is_an_error(module: ModuleType, body: bytes) -> None:
    with pytest.raises(module.quick.error):
        module.unpacker().decompress(body)
