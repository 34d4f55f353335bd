"""A notifier in memory: keeps what people were told, and fails where it is told to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass
class MemoryNotifier:
    """`ports.Notifier`. refusals: by channel, why it takes nothing now. tried: how often it was asked."""

    channels: tuple[str, ...] = ("one", "two")
    told: list[tuple[str, str, bool]] = field(default_factory=list)
    refusals: dict[str, str] = field(default_factory=dict)
    tried: int = 0

    def tell(self, title: str, text: str, *, bad: bool) -> Mapping[str, str]:
        self.tried += 1
        if len(self.refusals) < len(self.channels):
            self.told.append((title, text, bad))
        return {channel: self.refusals.get(channel, "") for channel in self.channels}
