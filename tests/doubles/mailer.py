"""A mailer in memory: keeps what was sent, and fails where it is told to."""

from __future__ import annotations

from dataclasses import dataclass, field

from triaged.decision import Outgoing
from triaged.errors import TriagedError, Uncertain
from triaged.ports import Crossing


@dataclass
class MemoryMailer:
    """`ports.Mailer`. faults: raised one by one by `send`; an Uncertain one when `arrives` still takes the mail."""

    sent: list[Outgoing] = field(default_factory=list)
    faults: list[TriagedError] = field(default_factory=list)
    arrives: bool = True
    can_tell: bool = True

    def connect(self) -> None:
        pass

    def send(self, mail: Outgoing, crossing: Crossing) -> str:
        if self.faults:
            fault = self.faults.pop(0)
            if isinstance(fault, Uncertain):
                crossing.begins()
                if self.arrives:
                    self.sent.append(mail)
            raise fault
        crossing.begins()
        self.sent.append(mail)
        crossing.ends("250 kept")
        return "250 kept"

    def was_sent(self, message_id: str) -> bool | None:
        if not self.can_tell:
            return None
        return any(mail.message_id == message_id for mail in self.sent)

    def close(self) -> None:
        pass
