"""Names of faults in (`F3 F4`; none: all), their long runs and a line of figures each out; exit code 1 if one fails."""

from __future__ import annotations

import importlib
import sys
import tempfile
import time
import traceback
from pathlib import Path


def main(wanted: list[str]) -> int:
    """Run them one after the other; one that fails does not keep the others from running."""
    failed = []
    for path in sorted(Path(__file__).parent.glob("test_f*.py")):
        name = path.stem.split("_")[1].upper().replace("F0", "F")
        if len(wanted) > 0 and name not in wanted:
            continue
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="faults-") as folder:
            try:
                importlib.import_module(f"tests.faults.{path.stem}").long_run(Path(folder))
            except Exception:
                traceback.print_exc()
                failed.append(name)
        _say(f"{name} took {time.monotonic() - began:.0f} s{', and failed' if name in failed else ''}")
    if len(failed) > 0:
        _say(f"failed: {' '.join(failed)}")
    return 1 if len(failed) > 0 else 0


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - the long run's own words


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
