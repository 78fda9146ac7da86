"""Images that are no part of the project: beside the checkout, or where EBCACHE_SHARED says."""

import lzma
import os
import pathlib

MIB = 1 << 20


def directory(kind):
    """The directory of one kind of images, which may not be there."""
    shared = os.environ.get("EBCACHE_SHARED")
    if shared is None:
        # Beside the checkout: this file is a link to its source when Bazel runs it.
        shared = pathlib.Path(os.path.realpath(__file__)).parents[3] / "shared"
    return pathlib.Path(shared) / "images" / kind


def unpack(packed, image):
    """Unpacks a .xz file with holes where there are zeroes."""
    with lzma.open(packed) as source, open(image, "wb") as target:
        while block := source.read(MIB):
            if block.count(0) == len(block):
                target.seek(len(block), os.SEEK_CUR)
            else:
                target.write(block)
        target.truncate(target.tell())
