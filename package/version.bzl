"""The version, as EBCACHE_VERSION_* of version.h has it; tests/package holds the two against each other."""

VERSION = "0.1.0"

SOVERSION = "0"
