"""Modules in, what loading them costs out: CPU and memory of fresh processes, and whether exchangelib came along."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass

_PROGRAM = """
import json, resource, sys, time
began = time.process_time()
import {modules}
took_s = time.process_time() - began
rss_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([took_s, rss_mb, [name for name in ("exchangelib", "msal") if name in sys.modules]]))
"""


@dataclass(frozen=True, slots=True)
class Start:
    """What loading takes. libraries: of those that only some need, which came with it."""

    cpu_s: list[float]
    rss_mb: float
    libraries: list[str]


def start(modules: str, *, rounds: int = 3) -> Start:
    """modules: as after `import`."""
    runs = [_loaded(modules) for _ in range(rounds)]
    return Start([cpu_s for cpu_s, _, _ in runs], max(rss_mb for _, rss_mb, _ in runs), runs[0][2])


def _loaded(modules: str) -> tuple[float, float, list[str]]:
    program = [sys.executable, "-c", _PROGRAM.format(modules=modules)]
    said = subprocess.run(program, capture_output=True, text=True, check=True).stdout
    cpu_s, rss_mb, libraries = json.loads(said)
    return cpu_s, rss_mb, libraries
