"""A configuration in, its playbook out, built in a triage process that some mails hang, exhaust or kill (planted).

No mail known to us does that any more, nor can a template; what if one did is still to be shown.
"""

from __future__ import annotations

import ctypes
from typing import Any

from triaged.loading import build_playbook
from triaged.mail.parse import parse
from triaged.model import Message, Raw
from triaged.playbook import Playbook
from triaged.settings import Config
from triaged.worker import triage
from triaged.written import Written


def build_poisonable(config: Config, *, written: Written | None) -> Playbook:
    """As `build_playbook`; from now on this process hangs on the subject `endless`, and so on."""
    vars(triage)["parse"] = _parse
    return build_playbook(config, written=written)


def _parse(raw: Raw, **rest: Any) -> Message:
    message = parse(raw, **rest)
    match message.subject:
        case "endless":
            while True:
                pass
        case "greedy":
            bytearray(8_000_000_000)
        case "deadly":
            ctypes.string_at(0)
    return message
