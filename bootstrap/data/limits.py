"""What the codec's two implementations hold messages to (pure); those of rare types stand in `tags`."""

MAX_STRUCTURED = 8 << 20
"""Bytes of a message but its blobs."""
MAX_MESSAGE = 128 << 20
"""Bytes of a message, blobs included."""
BESIDE = 1 << 16
"""str, bytes and buffers of this many bytes travel beside: just those that would need a 32-bit length."""
MAX_DEPTH = 512
"""Levels of arrays and maps. The C unpacker ends at 1,024, a plain `repr` of the result at a little less."""
MAX_NODES = 3 << 18
"""Arrays, maps and extensions of a message. One to three bytes become objects of 56 to 232, so without it 8 MiB could
take 600 MB; with it the worst message found took 354 MiB (small dicts, then short texts)."""
