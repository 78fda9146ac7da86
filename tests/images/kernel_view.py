"""What a kernel and btrfs-progs say of filesystems in image files."""

import contextlib
import hashlib
import os
import re
import subprocess

import make_images


@contextlib.contextmanager
def loops_of(devices, before_scan=None):
    """Loop devices, by which programs find all of a filesystem. `before_scan` is called with them."""
    loops = []
    try:
        for device in devices:
            loops.append(make_images.run_tool("losetup", "--find", "--show", device).strip())
        if before_scan is not None:
            before_scan(loops)
        make_images.run_tool("btrfs", "device", "scan", *loops)
        yield loops
    finally:
        for loop in loops:
            subprocess.run(
                [make_images.find_tool("btrfs"), "device", "scan", "--forget", loop],
                capture_output=True,
                check=False,
            )
            make_images.run_tool("losetup", "--detach", loop)


def hashes_of(top):
    """{path: sha256} of all files."""
    found = {}
    for path in sorted(top.rglob("*")):
        if path.is_file():
            found[str(path.relative_to(top))] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def device_of(top):
    """The device that the kernel names in what it says of a filesystem."""
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        words = [line.split() for line in mounts]
    return [source for source, mount_point, *_ in words if mount_point == str(top)][-1]


def kernel_log():
    """[(seconds since the kernel has started, line)], as many as it has; [] where that cannot be read."""
    done = subprocess.run(["dmesg"], capture_output=True, encoding="utf-8", check=False)
    lines = re.findall(r"^\[ *(\d+\.\d+)\] (.*)$", done.stdout, re.M)
    return [(float(seconds), line) for seconds, line in lines]


def log_of_devices(devices, since):
    """What the kernel has said of filesystems on these devices after `since`, a time of its log."""
    names = "|".join(os.path.basename(device) for device in devices)
    named = re.compile(rf"\(device ({names})\b")
    return [line for seconds, line in kernel_log() if seconds > since and named.search(line)]


def log_since_mount(device):
    """What the kernel has said of a filesystem since it was mounted; [] where that cannot be read."""
    lines = log_of_devices([device], 0)
    mounts = [number for number, line in enumerate(lines) if "first mount of filesystem" in line]
    # Others may have had that device before.
    return lines[mounts[-1] :] if mounts else []


def complaints_in(log):
    """Lines of a filesystem's log that are not as they should be."""
    return [
        line
        for line in log
        if re.search(r"BTRFS (emergency|alert|critical|error|warning)", line)
        # These are: a cache that was not kept is not used.
        and not re.search(r"v1 is being deprecated|failed to load free space cache", line)
    ]


def check_complaint(loop, *options):
    """Nothing where `btrfs check` has nothing to say; else its words."""
    done = subprocess.run(
        [make_images.find_tool("btrfs"), "check", "--readonly", *options, loop],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    # It looks at devices of others too, which come and go, and at loop devices that a mount before has
    # left, until the kernel has cleared them.
    words = re.sub(r"(ERROR: cannot scan|WARNING: adding device) /dev/.*\n", "", done.stdout)
    complains = re.search(r"ERROR|[Mm]ismatch|WARNING:|bad |wrong|cache .* failed", words)
    clean = done.returncode == 0 and "no error found" in words and complains is None
    return "" if clean else f"exit code {done.returncode}: {words[-6000:]}"
