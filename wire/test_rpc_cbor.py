"""The stand-in's CBOR, by RFC 8949's own examples (appendix A). The SDK's own requests are every tick's."""

from __future__ import annotations

import io

import pytest

from rpc_cbor import read, write

BOTH_WAYS = [
    (0, "00"), (23, "17"), (24, "1818"), (1000, "1903e8"), (1000000, "1a000f4240"), (2**64 - 1, "1b" + "ff" * 8),
    (-1, "20"), (-1000, "3903e7"), (1.1, "fb3ff199999999999a"), (False, "f4"), (True, "f5"), (None, "f6"),
    ("", "60"), ("ü", "62c3bc"), ([], "80"), ([1, [2, 3]], "8201820203"), ({}, "a0"), ({"a": 1}, "a1616101"),
]
READ_ONLY = [
    ("c11a514b67b0", 1363896240), ("f93e00", 1.5), ("fa47c35000", 100000.0), ("4401020304", b"\1\2\3\4"),
    ("9f018202039f0405ffff", [1, [2, 3], [4, 5]]), ("bf61610161629f0203ffff", {"a": 1, "b": [2, 3]}),
    ("7f657374726561646d696e67ff", "streaming"),
]


@pytest.mark.parametrize("value, encoded", BOTH_WAYS)
def test_examples_both_ways(value: object, encoded: str) -> None:
    assert write(value).hex() == encoded
    assert read(io.BytesIO(bytes.fromhex(encoded))) == value


@pytest.mark.parametrize("encoded, value", READ_ONLY)
def test_examples_that_only_others_write(encoded: str, value: object) -> None:
    assert read(io.BytesIO(bytes.fromhex(encoded))) == value
