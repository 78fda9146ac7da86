"""The rooms of lib/: docs/architecture.md."""

ROOMS = [
    "base",
    "cache",
    "capi",
    "device",
    "format",
    "fs",
    "mm",
    "space",
    "tree",
    "txn",
    "volume",
]
