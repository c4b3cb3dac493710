"""The codes of extensions, and the limits of rare types (pure; all else is in `limits`).

A *tag* is an extension with empty payload that stands first in an array and says what the array is; a *leaf*
is an extension whose payload is the value. Nothing is ever unpacked out of a payload: that is what lets every
nesting of values be seen, and bounded, by the one parser. The decoders refuse every code that is not listed
here.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Tags: [tag, item...]
TUPLE = 1       # items
SET = 2         # items
FROZENSET = 3   # items
DICT = 4        # key, value, key, value...: a dict with keys that a plain map may not have
SECRET = 5      # the value
RECORD = 6      # kind, type name, length as a sequence, then name, value, name, value...
RANGE = 7       # start, stop, step
SLICE = 8       # start, stop, step
FRACTION = 9    # numerator, denominator
EXCEPTION = 10  # what failures.describe made of it
CONTEXT = 11    # id, name
SENDER = 12     # context id, handle
ARRAY = 13      # what it was, format, shape, bytes
# Leaves
BLOB = 32       # kind, index: the bytes travel beside
BIGINT = 33     # two's complement, big-endian
BYTEARRAY = 34
COMPLEX = 35
DATETIME = 36
DATE = 37
TIME = 38
TIMEDELTA = 39
TIMEZONE = 40
DECIMAL = 41
UUID = 42
PATH = 43

# Kinds of RECORD.
OBJECT, SEQUENCE, MEMBER = 0, 1, 2
# Kinds of BLOB.
BYTES, STR, MUTABLE = 0, 1, 2

MAX_BITS = 65536
"""Of an integer: its decimal text still takes milliseconds, not minutes."""
MAX_DIGITS = 4096
"""Of a Decimal."""
MAX_EXPONENT = 20000
"""Of a Decimal, up or down: as an integer or a fraction it then has about as many bits as an integer may
have."""
MAX_FRACTION_BITS = 4096
"""Of a Fraction's two parts: reducing larger ones takes too long."""
MAX_ZONE = 256
"""Bytes of the name of a time zone."""

AWARE = 2
"""Flag of DATETIME and TIME: an offset follows. Flag 1 is the fold."""
PATHS = ("PurePosixPath", "PosixPath", "PureWindowsPath", "WindowsPath")
"""The first byte of a PATH counts through these."""


def decimal_fits(value: "Any") -> "bool":
    """Tell whether a Decimal is within the limits."""
    _, digits, exponent = value.as_tuple()
    size = abs(exponent) if type(exponent) is int else 0  # not a number, or infinite
    return len(digits) <= MAX_DIGITS and size + len(digits) <= MAX_EXPONENT
