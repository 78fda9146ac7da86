"""Makes btrfs images for tests: by mkfs.btrfs alone, and through a kernel mount."""

import contextlib
import ctypes
import os
import pathlib
import random
import shutil
import subprocess

MIB = 1 << 20
# Where administrators' programs are; tests may run without it in their PATH.
SEARCH_PATH = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"


class ToolError(Exception):
    """A program that makes images, or reads them for comparison, failed."""


def find_tool(name):
    """Path of a program, or None."""
    return shutil.which(name, path=SEARCH_PATH)


def run_tool(*command):
    """Runs a program that must succeed; returns what it wrote to stdout."""
    tool = find_tool(command[0])
    if tool is None:
        raise ToolError(f"{command[0]} is not installed")
    done = subprocess.run(
        [tool, *map(str, command[1:])],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        raise ToolError(f"{' '.join(map(str, command))}: {done.stderr.strip()}")
    return done.stdout


def make_tree(top, files, seed=0, most_bytes=1500):
    """Fills directory `top`: nested directories, mostly small files, some symlinks, a few large."""
    rng = random.Random(seed)
    top = pathlib.Path(top)
    top.mkdir(parents=True, exist_ok=True)
    directories = [top]
    filler = bytes(rng.randrange(256) for _ in range(most_bytes))
    for number in range(files):
        if number % 50 == 0:
            directory = rng.choice(directories[-4:]) / f"d{number:06}"
            directory.mkdir()
            directories.append(directory)
        path = rng.choice(directories) / f"{rng.getrandbits(40):010x}-{number}"
        if number % 31 == 30:
            path.symlink_to(f"../target-{number}")
        elif number % 97 == 96:
            path.write_bytes(os.urandom(1) * rng.randrange(16384, 131072))
        else:
            path.write_bytes(filler[: rng.randrange(most_bytes)])


def make_device(path, size_bytes=256 * MIB):
    """An empty sparse file."""
    path = pathlib.Path(path)
    path.unlink(missing_ok=True)
    with open(path, "wb") as device:
        device.truncate(size_bytes)
    return path


def mkfs(
    devices,
    node_bytes=16384,
    checksum="crc32c",
    metadata="dup",
    data="single",
    rootdir=None,
    features=(),
    runtime_features=(),
    size_bytes=256 * MIB,
    label=None,
):
    """Makes a filesystem on fresh sparse files. mkfs takes `rootdir` for one device only."""
    devices = [make_device(device, size_bytes) for device in devices]
    command = ["mkfs.btrfs", "-q", "-f", "-n", node_bytes, "--csum", checksum]
    command += ["-m", metadata, "-d", data]
    if rootdir is not None:
        command += ["--rootdir", rootdir]
    if label is not None:
        command += ["-L", label]
    if features:
        command += ["-O", ",".join(features)]
    if runtime_features:
        command += ["-R", ",".join(runtime_features)]
    run_tool(*command, *devices)
    return devices


def mkfs_features():
    """Names of the features that this mkfs.btrfs can turn on and off when it makes a filesystem."""
    done = subprocess.run(
        [find_tool("mkfs.btrfs"), "-O", "list-all"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
    lines = done.stdout.splitlines()
    return {line.split()[0] for line in lines if " - " in line}


def why_no_mounts():
    """None if images can be mounted here, else the reason why not."""
    if os.geteuid() != 0:
        return "not root"
    if not os.path.exists("/dev/loop-control"):
        return "no /dev/loop-control"
    for tool in ("mount", "umount", "losetup", "btrfs"):
        if find_tool(tool) is None:
            return f"{tool} is not installed"
    with open("/proc/filesystems", encoding="ascii") as filesystems:
        if "btrfs" not in filesystems.read().split():
            # It may be a module that the first mount loads.
            subprocess.run([find_tool("modprobe") or "true", "btrfs"], check=False)
    with open("/proc/filesystems", encoding="ascii") as filesystems:
        if "btrfs" not in filesystems.read().split():
            return "the kernel has no btrfs"
    return enter_mount_namespace()


def enter_mount_namespace():
    """Moves to a mount namespace of our own. None, or why that failed.

    However this process ends, killed or not, the kernel then unmounts what it has mounted; and
    loop devices that were told to go away with their last user go with it.
    """
    clone_newns = 0x00020000
    if ctypes.CDLL(None, use_errno=True).unshare(clone_newns) != 0:
        return f"no mount namespace: {os.strerror(ctypes.get_errno())}"
    try:
        run_tool("mount", "--make-rprivate", "/")
    except ToolError as error:
        return str(error)
    return None


@contextlib.contextmanager
def mounted(devices, mount_point, options=()):
    """Mounts a filesystem of several image files. REQUIRES: why_no_mounts() is None."""
    mount_point = pathlib.Path(mount_point)
    mount_point.mkdir(exist_ok=True)
    loops = []
    try:
        for device in devices:
            loops.append(run_tool("losetup", "--find", "--show", device).strip())
        options = [*(f"device={loop}" for loop in loops), *options]
        run_tool("mount", "-t", "btrfs", "-o", ",".join(options), loops[0], mount_point)
    finally:
        # A device in use is detached when its last user goes: whatever happens, none is left over.
        for loop in loops:
            run_tool("losetup", "--detach", loop)
    try:
        yield mount_point
    finally:
        run_tool("umount", mount_point)


def copy_sparse(source, destination):
    """Copies an image, holes and all; also one that is mounted."""
    run_tool("cp", "--sparse=always", source, destination)
    return destination
