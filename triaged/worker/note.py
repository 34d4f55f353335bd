"""A value in, a small file out, and back: what a kill must not make us forget, and a power cut may.

Not synced: the page cache outlives a kill of ours, and costs no commit. Whole or not at all, for its owner only.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any


def put(path: Path, value: Any) -> bool:
    """Replace the note; False when that is not possible (a full disk): then the old one stays. Never raises.

    It belongs to whom its folder does, so that the worker can read what root left.
    """
    draft = path.with_name(path.name + ".new")
    with suppress(OSError):
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(value), encoding="utf-8")
        if os.geteuid() == 0:
            folder = path.parent.stat()
            os.chown(draft, folder.st_uid, folder.st_gid)
        draft.replace(path)
        return True
    return False


def get(path: Path) -> Any:
    """What the note says; None when there is none that can be read."""
    with suppress(OSError, ValueError):
        return json.loads(path.read_text(encoding="utf-8"))
    return None
