"""The errors that somebody catches; backends translate everything foreign into them at their boundary.

TriagedError
├── ConfigError(problems)     what a person wrote is wrong: all problems at once; exit code 2
├── Transient(retry_after_s)  it may work later: the lane waits and tries again
├── Uncertain                 it may have happened: looked up, else a person decides; never repeated
└── Permanent                 it will not work however often it is tried: a person gets it
    ├── Gone                  the thing is no longer there (expunged, moved, deleted)
    └── LoginRefused          the server does not accept our credentials; repeating locks accounts out
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in something a person wrote.

    where: `file:line`, `file` or a key (`mailbox[0].host`); what: a sentence that says what is wrong
    and what to do about it.
    """

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


class TriagedError(Exception):
    """The root; never raised itself."""


class ConfigError(TriagedError):
    """Configuration, rules, templates or accounts are wrong; carries every problem found, at least one."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class Transient(TriagedError):
    """It may work later. `retry_after_s` is what the server asked for, or None."""

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Uncertain(TriagedError):
    """The effect may have happened: the answer was lost after the point of no return."""


class Permanent(TriagedError):
    """It will not work however often it is tried."""


class Gone(Permanent):
    """The message, folder or event is no longer there."""


class LoginRefused(Permanent):
    """The server refuses our credentials."""
