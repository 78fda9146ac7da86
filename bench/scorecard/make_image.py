"""Makes the filesystem that the scorecard's walks read: 1.2 GiB of metadata, written by the kernel.

1,000 directories of 1,000 small inline files with random names, some extended attributes and hard
links, two snapshots, some deletions; all of it in the filesystem's first tree, which is the one that
btrfs-progs' tree-stats looks at. Takes about two minutes, root, and loop devices; the image is a
sparse file of which some 1.5 GB are in use. Nothing is left over when it fails: the mount lives in a
mount namespace of this process, and the image gets its name at the end.

    python3 bench/scorecard/make_image.py [--directories=N] [--files=N] IMAGE
"""

import argparse
import os
import pathlib
import random
import signal
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "images"))
import make_images  # pylint: disable=wrong-import-position

SEED = 1
IMAGE_BYTES = 16 << 30  # sparse


def progress(begin, what):
    if sys.stderr.isatty():
        print(f"\r{time.monotonic() - begin:6.1f} s  {what:<40}", end="", file=sys.stderr, flush=True)


def write_directory(directory, files, rng, filler):
    """Small files, most of which live in the leaf of their inode."""
    directory.mkdir()
    last = None
    for number in range(files):
        path = directory / f"{rng.getrandbits(64):016x}-{number}"
        offset = rng.randrange(len(filler) - 1200)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        os.write(descriptor, filler[offset : offset + rng.randrange(200, 1200)])
        os.close(descriptor)
        if number % 50 == 10:
            os.setxattr(path, "user.note", filler[offset : offset + rng.randrange(10, 200)])
        if number % 50 == 20 and last is not None:
            os.link(last, directory / f"link-{rng.getrandbits(64):016x}")
        last = path


def delete_some(directory, rng):
    for name in sorted(os.listdir(directory)):
        if rng.randrange(100) == 0:
            os.unlink(directory / name)


def fill(top, directories, files, begin):
    rng = random.Random(SEED)
    filler = rng.randbytes(1 << 16)
    for number in range(directories):
        progress(begin, f"directory {number + 1} of {directories}")
        write_directory(top / f"d{number:04}", files, rng, filler)
        if number in (directories // 3, 2 * directories // 3):
            make_images.run_tool("btrfs", "subvolume", "snapshot", "-r", top, top / f"at{number}")
    for number in range(0, directories, 25):
        progress(begin, f"deletions in directory {number + 1}")
        delete_some(top / f"d{number:04}", rng)


def main():
    parser = argparse.ArgumentParser(description="Makes the image that the scorecard's walks read.")
    parser.add_argument("--directories", type=int, default=1000, help="(1000)")
    parser.add_argument("--files", type=int, default=1000, help="in each directory (1000)")
    parser.add_argument("image", type=pathlib.Path)
    flags = parser.parse_args()
    why_not = make_images.why_no_mounts()
    if why_not is not None:
        sys.exit(f"make_image: cannot mount images: {why_not}")
    # `bazel run` starts programs in a directory of its own.
    image = pathlib.Path(os.environ.get("BUILD_WORKING_DIRECTORY", ".")) / flags.image
    # Being told to end is one more way to fail: what was made half goes away.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("make_image: told to end"))
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(dir=image.parent, prefix=".making-") as scratch:
        made = pathlib.Path(scratch) / "image"
        make_images.mkfs([made], metadata="single", size_bytes=IMAGE_BYTES)
        with make_images.mounted([made], pathlib.Path(scratch) / "mnt", ["noatime"]) as top:
            fill(top, flags.directories, flags.files, begin)
        made.rename(image)
    progress(begin, "done")
    if sys.stderr.isatty():
        print(file=sys.stderr)


if __name__ == "__main__":
    try:
        main()
    except make_images.ToolError as error:
        sys.exit(f"make_image: {error}")
