"""What lies under a path: SQLite's locks and shared memory do not work over a network."""

from __future__ import annotations

import re
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")
NETWORK = re.compile(
    r"nfs\d?|cifs|smb\d?|smbfs|ncpfs|afs|ceph|glusterfs|lustre|beegfs|gpfs|ocfs2|orangefs|davfs"
    r"|fuse\.(sshfs|glusterfs|ceph|s3fs|goofys|rclone|gcsfuse|juicefs|davfs2|blobfuse2?|mount-s3)"
)


def network_file_system(path: Path, mounts: Path = MOUNTS) -> str | None:
    """The type of the network file system that holds ``path`` (nfs4, cifs ...); None on a local one or where unknown."""
    kind = _type_of(path, mounts)
    return kind if kind and NETWORK.fullmatch(kind) else None


def _type_of(path: Path, mounts: Path) -> str | None:
    """The type of the mount with the longest path above ``path``; of equal ones the last, which hides the others."""
    try:
        lines = mounts.read_text(errors="replace").splitlines()
    except OSError:
        return None
    real = Path(path).resolve()
    best, found = -1, None
    for line in lines:
        fields, _, rest = line.partition(" - ")
        words = fields.split()
        if len(words) < 5 or not rest:
            continue
        point = Path(re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), words[4]))
        depth = len(point.parts)
        if depth >= best and (real == point or point in real.parents):
            best, found = depth, rest.split()[0]
    return found
