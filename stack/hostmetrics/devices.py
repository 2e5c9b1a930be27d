"""Network devices, disks and file systems of this machine. Every function reads once and keeps nothing.

What node_exporter leaves out by default is left out here too. File systems on other machines are not asked: a server
that does not answer would hold up every scrape.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import psutil

from stack.hostmetrics.families import Family, Reading, disk, filesystem, network

Samples = list[tuple[tuple[str, ...], float]]

NETWORK: dict[str, Family] = {
    "bytes_recv": network("receive_bytes"),
    "packets_recv": network("receive_packets"),
    "errin": network("receive_errs"),
    "dropin": network("receive_drop"),
    "bytes_sent": network("transmit_bytes"),
    "packets_sent": network("transmit_packets"),
    "errout": network("transmit_errs"),
    "dropout": network("transmit_drop"),
}
DISKS: dict[str, tuple[Family, float]] = {
    "read_count": (disk("reads_completed", "The total number of reads completed successfully."), 1),
    "read_merged_count": (disk("reads_merged", "The total number of reads merged."), 1),
    "read_bytes": (disk("read_bytes", "The total number of bytes read successfully."), 1),
    "read_time": (disk("read_time_seconds", "The total number of seconds spent by all reads."), 0.001),
    "write_count": (disk("writes_completed", "The total number of writes completed successfully."), 1),
    "write_merged_count": (disk("writes_merged", "The number of writes merged."), 1),
    "write_bytes": (disk("written_bytes", "The total number of bytes written successfully."), 1),
    "write_time": (disk("write_time_seconds", "This is the total number of seconds spent by all writes."), 0.001),
    "busy_time": (disk("io_time_seconds", "Total seconds spent doing I/Os."), 0.001),
}
"""psutil's fields, node_exporter's metrics, and the factor between their units."""
SIZE = filesystem("size_bytes", "Filesystem size in bytes.")
FREE = filesystem("free_bytes", "Filesystem free space in bytes.")
AVAILABLE = filesystem("avail_bytes", "Filesystem space available to non-root users in bytes.")
FILES = filesystem("files", "Filesystem total file nodes.")
FILES_FREE = filesystem("files_free", "Filesystem total free file nodes.")
READ_ONLY = filesystem("readonly", "Filesystem read-only status.")
DEVICE_ERROR = filesystem("device_error", "Whether an error occurred while getting statistics for the given device.")

IGNORED_DISKS = re.compile(r"(z?ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+")
IGNORED_PLACES = re.compile(r"/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)")
IGNORED_TYPES = re.compile(
    r"autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devfs|devpts|devtmpfs|fusectl|hugetlbfs|iso9660|mqueue|nsfs"
    r"|overlay|proc|procfs|pstore|rpc_pipefs|securityfs|selinuxfs|squashfs|sysfs|tracefs"
)
REMOTE_TYPES = re.compile(
    r"9p|afpfs|afs|beegfs|ceph|cifs|fuse\.(ceph|glusterfs|sshfs)|glusterfs|gpfs|lustre|nfs\d?|smb(3|fs)|webdav"
)


def read_network() -> Iterator[Reading]:
    """Read what each network device received and sent since boot."""
    devices = psutil.net_io_counters(pernic=True, nowrap=False)
    for field, family in NETWORK.items():
        yield Reading(family, [((device,), float(getattr(one, field))) for device, one in devices.items()])


def read_disks() -> Iterator[Reading]:
    """Read what each disk read and wrote since boot, partitions left out; a machine without disks gives nothing."""
    found = psutil.disk_io_counters(perdisk=True, nowrap=False) or {}
    disks = {device: one for device, one in found.items() if not IGNORED_DISKS.fullmatch(device)}
    for field, (family, factor) in DISKS.items():
        samples: Samples = [
            ((device,), getattr(one, field) * factor) for device, one in disks.items() if hasattr(one, field)
        ]
        if samples:
            yield Reading(family, samples)


def read_filesystems() -> Iterator[Reading]:
    """Read size and use of each mounted file system; one that cannot be read is said to be so."""
    collected: dict[Family, Samples] = {
        family: [] for family in (SIZE, FREE, AVAILABLE, FILES, FILES_FREE, READ_ONLY, DEVICE_ERROR)
    }
    for device, kind, place in sorted(_mounts()):
        labels = (device, kind, place)
        try:
            found = os.statvfs(place)
        except OSError:
            collected[DEVICE_ERROR].append((labels, 1.0))
            continue
        collected[SIZE].append((labels, float(found.f_blocks * found.f_frsize)))
        collected[FREE].append((labels, float(found.f_bfree * found.f_frsize)))
        collected[AVAILABLE].append((labels, float(found.f_bavail * found.f_frsize)))
        collected[FILES].append((labels, float(found.f_files)))
        collected[FILES_FREE].append((labels, float(found.f_ffree)))
        collected[READ_ONLY].append((labels, float(bool(found.f_flag & os.ST_RDONLY))))
        collected[DEVICE_ERROR].append((labels, 0.0))
    for family, samples in collected.items():
        yield Reading(family, samples)


def _mounts() -> set[tuple[str, str, str]]:
    """Return device, type and place of what is mounted, without what is ignored."""
    return {
        (part.device or "none", part.fstype, part.mountpoint)
        for part in psutil.disk_partitions(all=True)
        if not IGNORED_TYPES.fullmatch(part.fstype)
        and not REMOTE_TYPES.fullmatch(part.fstype)
        and not IGNORED_PLACES.match(part.mountpoint)
    }
