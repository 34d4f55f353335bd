"""What we need from outside: Mailbox, Mailer, Calendar, Notifier. Backends implement these; `wire` picks them.

Every method may block up to the backend's own timeout and raises only `Transient`, `Permanent` (`Gone`,
`LoginRefused`) or, for `Mailer.send`, `Uncertain`. One object belongs to one thread.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from triaged.decision import Outgoing
from triaged.model import Address, Interval, Listed, Raw, Surveyed


class Mailbox(Protocol):
    """One mailbox with one watched folder. Reading changes nothing on the server; `\\Seen` is neither used nor set."""

    name: str
    folder: str

    def connect(self) -> None:
        """Connect and open the folder. Done twice: reconnects. Raises: Transient, LoginRefused, Gone (no folder)."""

    def list_after(self, cursor: str | None) -> Iterator[Listed]:
        """Keys of messages in the folder that the cursor does not cover, in pages, mostly oldest first.

        cursor: of the last page of which all keys, and all keys of the pages before it, have their rows; None for
        all. A cursor that no longer means anything (UIDVALIDITY changed, a delta link that the server forgot) is as
        None, so a key may be listed again, by this or by a later page: the caller skips those it has. A backend
        without order (Maildir) lists all keys each time. May be no page at all. Raises: Transient, LoginRefused.
        """
        ...

    def fetch(self, keys: Sequence[str]) -> Iterator[Raw]:
        """The messages, in the order of `keys`; one that vanished meanwhile is left out. Raises: Transient."""
        ...

    def wait(self, timeout_s: float) -> None:
        """Return when something may have come, when `wake` is called or after `timeout_s`. Raises: Transient."""

    def wake(self) -> None:
        """End a `wait` in another thread soon. The one method that other threads may call; never raises."""

    def survey(self, since: datetime, *, sent_only: bool = False) -> Iterator[Surveyed]:
        """Messages that the server took at `since` or later, of every folder but drafts and those that show all mail
        once more (RFC 6154 \\All, \\Flagged), folder by folder; those of a folder that may not be read are left out.

        sent_only: of folders of sent mail alone, which asks little of the server whatever else the mailbox holds.
        Changes nothing on the server. Nothing else may be asked of this object until the iterator has ended.
        Raises: Transient, LoginRefused.
        """
        ...

    def mark(self, key: str, categories: Sequence[str]) -> None:
        """Show these categories on the message in people's mail programs, beside those that they set themselves.

        Outlook's categories, IMAP's keywords (a blank becomes `_`); nothing where the server keeps none (Maildir).
        Done twice: nothing more. Raises: Transient, Gone, Permanent.
        """

    def file(self, key: str, folder: str) -> None:
        """Move a message into `folder`, made if missing. Done twice: Gone. Raises: Transient, Gone, Permanent."""

    def refile(self, message_id: str, source: str, target: str) -> None:
        """Move the message with this Message-ID (with angle brackets) from one folder into another, made if missing.

        Either may be the watched folder, by its name. Done twice: Gone. Raises: Transient, Gone (no such message, or no
        folder `source`), Permanent, also when several messages there have it: then none is moved.
        """

    def find(self, message_id: str, folder: str) -> Raw:
        """The message with this Message-ID (with angle brackets) in a folder: one that was filed, looked at again.

        Changes nothing on the server. Raises: Transient, Gone (no such message, or no folder `folder`), Permanent, also
        when several messages there have it.
        """
        ...

    def close(self) -> None:
        """Close; never raises. Done twice: nothing."""


def keys_after(mailbox: Mailbox, cursor: str | None) -> tuple[str, ...]:
    """All keys that the cursor does not cover, each once. Raises: as `Mailbox.list_after`."""
    return tuple(dict.fromkeys(key for listed in mailbox.list_after(cursor) for key in listed.keys))


class Crossing(Protocol):
    """A point of no return, told as it is passed."""

    def begins(self) -> None:
        """Right before the step from which on it may have happened. May take milliseconds, may raise Transient."""

    def ends(self, words: str) -> None:
        """It has happened, in the server's words; before anything else is done. Never raises."""


class Mailer(Protocol):
    """Sends mail."""

    def connect(self) -> None:
        """Connect and log in; cheap when connected. Raises: Transient, Permanent, LoginRefused."""

    def send(self, mail: Outgoing, crossing: Crossing) -> str:
        """Hand the mail over; returns the server's words.

        crossing: told when the point of no return (the final dot) is passed; what `begins` raises is passed on, and
        then the mail was certainly not sent.
        Raises: Transient (certainly not sent), Permanent (refused), LoginRefused, Uncertain (connection lost
        between the end of DATA and the answer). Done twice: may send twice, unless `was_sent` was asked.
        """
        ...

    def was_sent(self, message_id: str) -> bool | None:
        """Whether a mail with this Message-ID left: True, False, or None when nobody can tell. Raises: Transient."""
        ...

    def close(self) -> None:
        """Close; never raises."""


class Calendar(Protocol):
    """One person's calendar.

    invites: the server itself sends invitations, changes and cancellations to the attendees of its events (Exchange,
    Microsoft 365) and takes in their answers; elsewhere our own mails do.
    """

    invites: bool

    def busy(self, start: datetime, end: datetime, *, besides: Collection[str] = ()) -> tuple[Interval, ...]:
        """Busy times overlapping [start, end), merged, in order, UTC. A tentative event is busy too.

        besides: UIDs of events of ours that do not count, octet for octet: a call about to be moved, the slots held
        for this very client, the event just written. One that is not there changes nothing.
        A calendar that cannot be read, or in which ours cannot be told from others' events where that is asked for,
        raises (Transient or Permanent); it is never reported as free.
        """
        ...

    def add(self, uid: str, ics: bytes) -> bool:
        """Write an event (a VCALENDAR with one VEVENT of this UID). False when the UID is there already, which
        then stays as it was. Nobody is told: where the server `invites`, its attendees are left out until `invite`.
        One with STATUS:TENTATIVE, which may have neither organizer nor attendees, holds its time tentatively.
        Raises: Transient, Permanent, LoginRefused."""
        ...

    def invite(self, uid: str, attendee: Address) -> None:
        """Have the server invite somebody to the event; only where it `invites`. Done twice: invited once.

        Raises: Transient, Permanent, Gone (no such event), LoginRefused.
        """

    def replace(self, uid: str, ics: bytes) -> bool:
        """Write the event anew: times, texts, SEQUENCE, whether it is tentative. False when it is not there. Done
        twice: the same event.

        Where the server `invites` it tells those invited, who stay invited; the attendees in `ics` are not looked at.
        Raises: Transient, Permanent, LoginRefused.
        """
        ...

    def remove(self, uid: str) -> bool:
        """Take the event out, which cancels it; where the server `invites` it tells those invited. Done twice: False.

        Raises: Transient, Permanent, LoginRefused.
        """
        ...

    def find(self, uid: str) -> bytes | None:
        """The VCALENDAR that holds this UID, or None. Its ATTENDEE lines carry what each answered (PARTSTAT) as far as
        the calendar knows. Raises: Transient, LoginRefused."""
        ...

    def close(self) -> None:
        """Close; never raises."""


class Notifier(Protocol):
    """Tells people of alarms, over other ways than the mail we work on."""

    channels: tuple[str, ...]
    """Names that hold no secret; none: nobody is told."""

    def tell(self, title: str, text: str, *, bad: bool) -> Mapping[str, str]:
        """Tell it over every channel: by channel why it was not taken, `""` when it was. Never raises.

        bad: an alarm, not an all-clear. Done twice: people are told twice.
        """
        ...


class Provider(Protocol):
    """Where people sign in for the desk; it holds nothing, and may be used by several threads."""

    def address(self, *, state: str, nonce: str, verifier: str) -> str:
        """Where a browser is sent to sign in. All three: random, of this one sign-in. Raises: Transient, Permanent."""
        ...

    def who(self, code: str, *, nonce: str, verifier: str) -> str:
        """The name of who came back with this code. Done twice: LoginRefused, for a code is good once.

        Raises: LoginRefused (a sentence: it does not say who, or is not to be believed), Transient, Permanent.
        """
        ...


# --- a person signs in: the backend yields what is to be done, again and again, then who it was -----------------------


@dataclass(frozen=True, slots=True)
class Visit:
    """What a person is to do in a browser. code: to be typed there, `""` where nothing is.

    wait_s: before the next look at what became of it; left_s: until it is too late. note: what went wrong meanwhile.
    """

    address: str
    code: str
    wait_s: float
    left_s: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """account: who signed in, as the server calls them, mostly their address; `""` where it does not say."""

    account: str
