"""MessagePack's public test vectors: every form of a value decodes, the shortest is what we write."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from remotesvc import fastcodec
from remotesvc.bootstrap.data import codec
from remotesvc.bootstrap.errors import DecodeError

# value, its forms; the first is the one an encoder has to choose
VECTORS: list[tuple[Any, list[str]]] = [
    (None, ["c0"]), (False, ["c2"]), (True, ["c3"]),
    (b"", ["c4 00", "c5 00 00", "c6 00 00 00 00"]),
    (b"\x01", ["c4 01 01", "c5 00 01 01", "c6 00 00 00 01 01"]),
    (b"\x00\xff", ["c4 02 00 ff", "c5 00 02 00 ff", "c6 00 00 00 02 00 ff"]),
    (0, ["00", "cc 00", "cd 00 00", "ce 00 00 00 00", "cf 00 00 00 00 00 00 00 00", "d0 00", "d1 00 00",
         "d2 00 00 00 00", "d3 00 00 00 00 00 00 00 00"]),
    (1, ["01", "cc 01", "cd 00 01", "ce 00 00 00 01", "cf 00 00 00 00 00 00 00 01", "d0 01", "d1 00 01",
         "d2 00 00 00 01", "d3 00 00 00 00 00 00 00 01"]),
    (127, ["7f", "cc 7f", "cd 00 7f", "ce 00 00 00 7f", "cf 00 00 00 00 00 00 00 7f", "d0 7f", "d1 00 7f"]),
    (128, ["cc 80", "cd 00 80", "ce 00 00 00 80", "cf 00 00 00 00 00 00 00 80", "d1 00 80"]),
    (255, ["cc ff", "cd 00 ff", "ce 00 00 00 ff", "d1 00 ff"]), (256, ["cd 01 00", "ce 00 00 01 00", "d1 01 00"]),
    (65535, ["cd ff ff", "ce 00 00 ff ff", "d2 00 00 ff ff"]), (65536, ["ce 00 01 00 00", "d2 00 01 00 00"]),
    (2147483647, ["ce 7f ff ff ff", "d2 7f ff ff ff"]), (2147483648, ["ce 80 00 00 00", "d3 00 00 00 00 80 00 00 00"]),
    (4294967295, ["ce ff ff ff ff", "d3 00 00 00 00 ff ff ff ff"]),
    (4294967296, ["cf 00 00 00 01 00 00 00 00", "d3 00 00 00 01 00 00 00 00"]),
    (281474976710656, ["cf 00 01 00 00 00 00 00 00", "d3 00 01 00 00 00 00 00 00"]),
    (9223372036854775807, ["cf 7f ff ff ff ff ff ff ff", "d3 7f ff ff ff ff ff ff ff"]),
    (9223372036854775808, ["cf 80 00 00 00 00 00 00 00"]), (18446744073709551615, ["cf ff ff ff ff ff ff ff ff"]),
    (-1, ["ff", "d0 ff", "d1 ff ff", "d2 ff ff ff ff", "d3 ff ff ff ff ff ff ff ff"]),
    (-32, ["e0", "d0 e0", "d1 ff e0", "d2 ff ff ff e0"]), (-33, ["d0 df", "d1 ff df", "d2 ff ff ff df"]),
    (-128, ["d0 80", "d1 ff 80"]), (-256, ["d1 ff 00", "d2 ff ff ff 00"]), (-32768, ["d1 80 00", "d2 ff ff 80 00"]),
    (-65536, ["d2 ff ff 00 00"]), (-2147483648, ["d2 80 00 00 00"]), (-4294967296, ["d3 ff ff ff ff 00 00 00 00"]),
    (-9223372036854775808, ["d3 80 00 00 00 00 00 00 00"]),
    (0.5, ["cb 3f e0 00 00 00 00 00 00", "ca 3f 00 00 00"]), (-0.5, ["cb bf e0 00 00 00 00 00 00", "ca bf 00 00 00"]),
    ("", ["a0", "d9 00", "da 00 00", "db 00 00 00 00"]),
    ("a", ["a1 61", "d9 01 61", "da 00 01 61", "db 00 00 00 01 61"]),
    ("1234567890123456789012345678901",
     ["bf " + "31323334353637383930" * 3 + "31", "d9 1f " + "31323334353637383930" * 3 + "31"]),
    ("12345678901234567890123456789012", ["d9 20 " + "31323334353637383930" * 3 + "3132"]),
    ("\u041a\u0438\u0440\u0438\u043b\u043b\u0438\u0446\u0430", ["b2 d09ad0b8d180d0b8d0bbd0bbd0b8d186d0b0"]),
    ("\u6f22\u5b57", ["a6 e6bca2e5ad97", "d9 06 e6bca2e5ad97"]), ("\u2764", ["a3 e29da4"]),
    ("\U0001f37a", ["a4 f09f8dba", "d9 04 f09f8dba"]),
    ([], ["90", "dc 00 00", "dd 00 00 00 00"]), ([1], ["91 01", "dc 00 01 01", "dd 00 00 00 01 01"]),
    (list(range(1, 16)), ["9f 0102030405060708090a0b0c0d0e0f"]),
    (list(range(1, 17)), ["dc 00 10 0102030405060708090a0b0c0d0e0f10"]), (["a"], ["91 a1 61"]),
    ({}, ["80", "de 00 00", "df 00 00 00 00"]), ({"a": 1}, ["81 a161 01", "de 0001 a161 01", "df 00000001 a161 01"]),
    ({"a": "A"}, ["81 a161 a141"]), ([[]], ["91 90"]), ([{}], ["91 80"]), ({"a": {}}, ["81 a161 80"]),
    ({"a": []}, ["81 a161 90"]),
]

# Timestamps and the extensions of the vectors: ours are others.
FOREIGN = ["d6 ff 5a 4a f6 a5", "d7 ff 00 00 00 04 5a 4a f6 a5", "c7 0c ff 00 00 00 01 00 00 00 00 00 00 00 00",
           "d4 10 10", "d5 20 20 21", "d6 30 30 31 32 33", "d7 40 40 41 42 43 44 45 46 47",
           "c7 06 70 70 71 72 73 74 75"]


@pytest.mark.parametrize("implementation", [codec, fastcodec], ids=["pure", "c"])
@pytest.mark.parametrize(("value", "forms"), VECTORS, ids=[forms[0][:20] for _, forms in VECTORS])
def test_every_form_of_a_public_vector_decodes(implementation: ModuleType, value: Any, forms: list[str]) -> None:
    assert implementation.encode(value).data == bytes.fromhex(forms[0])
    for form in forms:
        for tagged in (False, True):
            made = implementation.decode(bytes.fromhex(form), (), tagged)
            assert made == value
            assert type(made) is type(value)


@pytest.mark.parametrize("implementation", [codec, fastcodec], ids=["pure", "c"])
@pytest.mark.parametrize("form", FOREIGN)
@pytest.mark.parametrize("wrap", ["{}", "91 {}", "92 c7 00 01 {}", "81 a0 {}", "81 {} c0"])
def test_foreign_extension(implementation: ModuleType, form: str, wrap: str) -> None:
    for tagged in (False, True):
        with pytest.raises(DecodeError):
            implementation.decode(bytes.fromhex(wrap.format(form)), (), tagged)
