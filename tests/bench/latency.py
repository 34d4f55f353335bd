"""A running worker in, seconds from the delivery of single mails to their acknowledgement out, beside a bare IDLE."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from imapclient import IMAPClient

from tests.bench.sink import Sink
from tests.servers.dovecot import Dovecot

PUSH_LIMIT_S = 10.0
PAUSE_S = 0.3
"""Between two mails, so that worker and bare client are both back in IDLE."""


def latencies(
    dovecot: Dovecot, sink: Sink, mails: Sequence[bytes], *, user: str, port: int, tell: Callable[[int], None]
) -> tuple[list[float], list[float]]:
    """Seconds from LMTP's yes to the bare client's push, and to the acknowledgement, of the same mails.

    Every mail must be one that is answered. Raises: RuntimeError when nothing comes.
    """
    pushes: list[float] = []
    answers: list[float] = []
    with IMAPClient("127.0.0.1", port, ssl=False, timeout=PUSH_LIMIT_S) as bare:
        bare.login(f"{user}@example.test", f"{user}-password")
        bare.select_folder("INBOX", readonly=True)
        for mail in mails:
            bare.idle()
            time.sleep(PAUSE_S)
            dovecot.deliver(mail, user, sender="alex@client.example")  # the null path would be a machine
            delivered = time.monotonic()
            if not bare.idle_check(PUSH_LIMIT_S):
                raise RuntimeError(f"Dovecot pushed nothing within {PUSH_LIMIT_S:.0f} s")
            pushes.append(time.monotonic() - delivered)
            arrived = sink.arrivals(wait_s=PUSH_LIMIT_S)
            if len(arrived) != 1:
                raise RuntimeError(f"{len(arrived)} acknowledgements for one mail")
            answers.append(arrived[0] - delivered)
            bare.idle_done()
            tell(1)
    return pushes, answers
