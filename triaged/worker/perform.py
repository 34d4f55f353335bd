"""An effect in, its Outcome out: how each kind of effect is done, and looked up when a kill left it half done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from triaged.decision import Effect, FileMessage, MarkMessage, Notify, Outcome, Refile, SendAck, SendInvitation
from triaged.errors import Gone, Permanent, Transient, Uncertain
from triaged.mail.strict import faults
from triaged.ports import Crossing, Mailbox, Mailer


class LaneService(Protocol):
    """What a lane works with; one thread owns it. Errors as in `triaged.ports`.

    fails_whole: that one effect could not be done for now means that none can be: a calendar is read or it is not; a
    mail server may refuse one recipient alone.
    """

    fails_whole: bool

    def connect(self) -> None:
        """Be ready to perform; cheap when it is."""

    def perform(self, effect: Effect, crossing: Crossing) -> Outcome:
        """Do the effect; what cannot safely be done twice tells `crossing` of its point of no return.

        Raises: Transient, Permanent, Uncertain.
        """
        ...

    def recover(self, effect: Effect, handed: bool) -> Outcome | None:
        """What became of an effect that a kill interrupted: its outcome, or None when it must be done (again, safely).

        handed: whether its `crossing` had begun.

        Raises: Uncertain when nobody can tell; Transient.
        """
        ...

    def close(self) -> None:
        """Close; never raises."""


class MailLane:
    """Sends acknowledgements, notices and invitations.

    refuses: why a client must not be written to, `""` for most: asked again now, for the list may have been edited
    since the mail was decided about.
    """

    fails_whole = False

    def __init__(self, mailer: Mailer, refuses: Callable[[str], str]) -> None:
        self._mailer, self._refuses = mailer, refuses

    def connect(self) -> None:
        """Connect and log in before an effect is begun, so that a dead server leaves nothing half done."""
        self._mailer.connect()

    def perform(self, effect: Effect, crossing: Crossing) -> Outcome:
        """Send the mail of the effect, after a last look at the octets that came back from the log (S26)."""
        assert isinstance(effect, SendAck | Notify | SendInvitation)
        if not isinstance(effect, Notify) and (why := self._refuses(effect.mail.recipient)) != "":
            raise Permanent(f"not sent: {why}")
        if found := faults(effect.mail):
            raise Permanent("not sent, the mail is not as it must be: " + "; ".join(found))
        return Outcome(self._mailer.send(effect.mail, crossing))

    def recover(self, effect: Effect, handed: bool) -> Outcome | None:
        """A mail that was handed over is looked up by its Message-ID; any other was certainly not sent."""
        assert isinstance(effect, SendAck | Notify | SendInvitation)
        if not handed:
            return None
        sent = self._mailer.was_sent(effect.mail.message_id)
        if sent is None:
            raise Uncertain("it was handed over, no answer came, and it is not found in Sent: did it arrive?")
        return Outcome("sent, though no answer came; found again") if sent else None

    def close(self) -> None:
        """Close the connection."""
        self._mailer.close()


class FilingLane:
    """Marks triaged mail and moves it into folders of one mailbox, over a connection of its own."""

    fails_whole = False

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        self._connected = False

    def connect(self) -> None:
        """Connect unless that is done."""
        if not self._connected:
            self._mailbox.connect()
            self._connected = True

    def perform(self, effect: Effect, _crossing: Crossing) -> Outcome:
        """Move or mark the message; one that is no longer there was moved by somebody."""
        assert isinstance(effect, MarkMessage | FileMessage | Refile)
        source = effect.source if isinstance(effect, Refile) else effect.locator.folder
        try:
            return Outcome(self._done(effect))
        except Gone:
            return Outcome(f"was no longer in {source}")
        except Transient:
            self._connected = False
            raise

    def _done(self, effect: MarkMessage | FileMessage | Refile) -> str:
        match effect:
            case MarkMessage():
                self._mailbox.mark(effect.locator.key, effect.categories)
                return f"marked {', '.join(effect.categories)}"
            case FileMessage():
                self._mailbox.file(effect.locator.key, effect.folder)
                return f"moved to {effect.folder}"
            case Refile():
                self._mailbox.refile(effect.message_id, effect.source, effect.target)
                return f"moved to {effect.target}"

    def recover(self, effect: Effect, _handed: bool) -> Outcome | None:
        """Do it again: a message that was moved is gone from where it was, a mark is set once."""
        return None

    def close(self) -> None:
        """Close the connection."""
        self._mailbox.close()
