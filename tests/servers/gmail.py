"""A fake of Gmail's IMAP on loopback: labels for folders, one All Mail, MOVE, an EXPUNGE that may delete for ever.

No real account can be had. Grammar and answers: RFC 3501, 2177 (IDLE), 4315 (UIDPLUS), 6154 (SPECIAL-USE), 6851 (MOVE);
labels: developers.google.com/workspace/gmail/imap/imap-extensions; what EXPUNGE does: Gmail API, ImapSettings. Where
nothing is published it is strict: a label that does not exist cannot be set, and nothing can be moved out of All Mail.
"""

from __future__ import annotations

import re
import select
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from imapclient import imap_utf7

from triaged.backends.imap.line import ImapSettings

ALL_MAIL = "[Gmail]/All Mail"
BEFORE_LOGIN = "IMAP4rev1 UNSELECT IDLE NAMESPACE QUOTA ID XLIST CHILDREN X-GM-EXT-1 SASL-IR AUTH=PLAIN AUTH=XOAUTH2"
CAPABILITIES = "IMAP4rev1 UNSELECT IDLE NAMESPACE ID CHILDREN X-GM-EXT-1 UIDPLUS ENABLE MOVE SPECIAL-USE"
"""After the login; MOVE and UIDPLUS only then."""
LOOK_S = 0.02
"""Seconds between two looks of an IDLE for news."""

_WORD = re.compile(rb'"(?:[^"\\]|\\.)*"|\((?:[^()"]|"(?:[^"\\]|\\.)*")*\)|[^\s\[\]]*\[[^\]]*\](?:<[0-9.]+>)?|[^\s]+')
_LITERAL = re.compile(rb"\{([0-9]+)(\+?)\}\r\n$")
_PLACEHOLDER = b"\x00%d\x00"


@dataclass(eq=False, slots=True)
class Mail:
    """A message, which lies in each folder that it has a label of. number: X-GM-MSGID."""

    octets: bytes
    received: datetime
    number: int
    flags: set[str] = field(default_factory=set)


@dataclass(eq=False, slots=True)
class Folder:
    """mark: its special use, the name of its system label too."""

    name: str
    mark: str
    validity: int
    uid_next: int = 1
    mails: dict[int, Mail] = field(default_factory=dict)

    def put(self, mail: Mail) -> int:
        self.mails[self.uid_next] = mail
        self.uid_next += 1
        return self.uid_next - 1

    def take(self, mail: Mail) -> None:
        self.mails = {uid: each for uid, each in self.mails.items() if each is not mail}


class Gmail:
    """An account. expunged, auto_expunge: its IMAP settings; hidden: folders not shown in IMAP."""

    def __init__(self, *, sent: str = "[Gmail]/Sent Mail", drafts: str = "[Gmail]/Drafts") -> None:
        self.lock = threading.RLock()
        self.expunged: Literal["archive", "trash", "deleteForever"] = "archive"
        self.auto_expunge = True
        self.hidden: set[str] = set()
        self.capabilities = CAPABILITIES
        self.heard: list[bytes] = []
        self.port = 0
        self._numbers = 1278455344230334865
        self._validity = 600
        self.folders: dict[str, Folder] = {}
        system = {
            "INBOX": "\\Inbox",
            ALL_MAIL: "\\All",
            drafts: "\\Drafts",
            "[Gmail]/Important": "\\Important",
            sent: "\\Sent",
            "[Gmail]/Spam": "\\Junk",
            "[Gmail]/Starred": "\\Flagged",
            "[Gmail]/Trash": "\\Trash",
        }
        for name, mark in system.items():
            self.make(name, mark)

    def settings(self) -> ImapSettings:
        return ImapSettings("127.0.0.1", self.port, "none", "desk@gmail.example", "secret", timeout_s=5)

    def make(self, name: str, mark: str = "") -> Folder:
        with self.lock:
            self._validity += 1
            return self.folders.setdefault(name, Folder(name, mark, self._validity))

    def deliver(self, octets: bytes, received: datetime, *labels: str) -> None:
        """A mail with these folders' labels; one that is there already only gets them."""
        with self.lock:
            mail = next((each for each in self.mails() if each.octets == octets), None)
            if mail is None:
                self._numbers += 1
                mail = Mail(octets, received, self._numbers)
                self.folders[ALL_MAIL].put(mail)
            for label in labels:
                self.label(mail, self.make(label))

    def mails(self) -> list[Mail]:
        return list(dict.fromkeys(mail for folder in self.folders.values() for mail in folder.mails.values()))

    def labels(self, mail: Mail) -> set[str]:
        """Names of the folders that it lies in."""
        return {name for name, folder in self.folders.items() if mail in folder.mails.values()}

    def label(self, mail: Mail, folder: Folder) -> int:
        throws_away = folder.mark in ("\\Trash", "\\Junk")
        for each in self.folders.values():
            if throws_away or each.mark in ("\\Trash", "\\Junk"):
                each.take(mail)
        if not throws_away and mail not in self.folders[ALL_MAIL].mails.values():
            self.folders[ALL_MAIL].put(mail)
        found = next((uid for uid, each in folder.mails.items() if each is mail), None)
        return found if found is not None else folder.put(mail)

    def expunge(self, folder: Folder, mail: Mail) -> None:
        """Out of a folder with no other label left: whatever the account's settings say; out of trash: for ever."""
        mail.flags.discard("\\Deleted")
        folder.take(mail)
        if folder.mark in ("\\Trash", "\\Junk"):
            return
        if folder.mark == "\\All" or (self.labels(mail) == {ALL_MAIL} and self.expunged == "trash"):
            self.label(mail, self.folders["[Gmail]/Trash"])
        elif self.labels(mail) == {ALL_MAIL} and self.expunged == "deleteForever":
            self.folders[ALL_MAIL].take(mail)


@contextmanager
def running_gmail(account: Gmail) -> Iterator[Gmail]:
    class Handler(socketserver.StreamRequestHandler):
        disable_nagle_algorithm = True

        def handle(self) -> None:
            self.connection.settimeout(30)
            _Session(account, self).serve()

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

        def handle_error(self, *_: object) -> None:
            """A client that hangs up is the tests' business."""

    with Server(("127.0.0.1", 0), Handler) as server:
        account.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield account
        finally:
            server.shutdown()
            thread.join()


class _Refused(Exception):
    """Answered NO."""


class _Session:
    def __init__(self, account: Gmail, line: socketserver.StreamRequestHandler) -> None:
        self._account, self._line = account, line
        self._folder: Folder | None = None
        self._read_only = True
        self._view: list[int] = []  # UIDs by message number, as this client was told
        self._literals: list[bytes] = []

    def serve(self) -> None:
        self._say(f"* OK [CAPABILITY {BEFORE_LOGIN}] Gimap ready for requests from 127.0.0.1 fake")
        while (command := self._hear()) != b"":
            tag, name, *words = (self._word(each) for each in _WORD.findall(command))
            verb = name.upper() if name.upper() != "UID" else f"UID {words.pop(0).upper()}"
            if verb == "LOGOUT":
                self._say(f"* BYE LOGOUT Requested\r\n{tag} OK 73 good day (Success)")
                return
            run: Callable[..., str | None] | None = getattr(self, "_" + verb.lower().replace(" ", "_"), None)
            try:
                if run is None and verb != "IDLE":
                    self._say(f"{tag} BAD Unknown command {verb}")
                    continue
                with self._account.lock:
                    words_back = run(*words) or "Success" if run is not None else ""
                if verb == "IDLE":
                    words_back = self._idles()
                with self._account.lock:
                    self._tell()
                self._say(f"{tag} OK {words_back}")
            except _Refused as error:
                self._say(f"{tag} NO {error} (Failure)")

    # --- octets ---

    def _say(self, text: str | bytes) -> None:
        octets = text.encode() if isinstance(text, str) else text
        self._line.wfile.write(octets + b"\r\n")

    def _hear(self) -> bytes:
        """A command; its literals stand aside, a placeholder for each in the line."""
        command, self._literals = b"", []
        while True:
            piece = self._line.rfile.readline()
            self._account.heard.append(piece)
            found = _LITERAL.search(piece)
            if found is None:
                return command + piece.rstrip(b"\r\n")
            if found[2] == b"":
                self._say("+ go ahead")
            command += piece[: found.start()] + _PLACEHOLDER % len(self._literals)
            self._literals.append(self._line.rfile.read(int(found[1])))

    def _word(self, word: bytes) -> str:
        if word.startswith(b'"'):
            return re.sub(rb"\\(.)", rb"\1", word[1:-1]).decode()
        if word.startswith(b"\x00"):
            return self._literals[int(word.strip(b"\x00"))].decode("latin-1")
        return word.decode()

    # --- the account ---

    def _capability(self) -> None:
        self._say(f"* CAPABILITY {self._account.capabilities}")

    def _login(self, user: str, password: str) -> str:
        if password != "secret":
            raise _Refused("[AUTHENTICATIONFAILED] Invalid credentials")
        self._say(f"* CAPABILITY {self._account.capabilities}")
        return f"{user} authenticated (Success)"

    def _id(self, *_: str) -> None:
        self._say('* ID ("name" "GImap" "vendor" "Google, Inc.")')

    def _noop(self) -> None:
        pass

    def _subscribe(self, name: str) -> None:
        self._open(name)

    def _list(self, _: str, pattern: str) -> None:
        wanted = re.compile(re.escape(pattern).replace(r"\*", ".*").replace("%", "[^/]*"))
        if wanted.fullmatch("[Gmail]"):
            self._say('* LIST (\\HasChildren \\Noselect) "/" "[Gmail]"')
        for name, folder in self._account.folders.items():
            mark = f" {folder.mark}" if folder.mark not in ("", "\\Inbox") else ""
            if name not in self._account.hidden and wanted.fullmatch(_wire(name)):
                self._say(f'* LIST (\\HasNoChildren{mark}) "/" "{_wire(name)}"')

    def _create(self, name: str) -> None:
        if name.startswith("[Gmail]") or imap_utf7.decode(name.encode()) in self._account.folders:
            raise _Refused("[CANNOT] Invalid folder name or it exists")
        self._account.make(imap_utf7.decode(name.encode()))

    def _open(self, name: str) -> Folder:
        plain = imap_utf7.decode(name.encode())
        folder = self._account.folders.get("INBOX" if plain.upper() == "INBOX" else plain)
        if folder is None or folder.name in self._account.hidden:
            raise _Refused("[NONEXISTENT] Unknown Mailbox: " + name)
        return folder

    def _examine(self, name: str) -> str:
        return self._select(name, read_only=True)

    def _select(self, name: str, *, read_only: bool = False) -> str:
        self._folder, self._read_only = None, read_only
        folder = self._folder = self._open(name)
        self._view = list(folder.mails)
        self._say(
            "* FLAGS (\\Answered \\Flagged \\Draft \\Deleted \\Seen)\r\n"
            "* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Draft \\Deleted \\Seen \\*)] Flags permitted.\r\n"
            f"* OK [UIDVALIDITY {folder.validity}] UIDs valid.\r\n* {len(self._view)} EXISTS\r\n* 0 RECENT\r\n"
            f"* OK [UIDNEXT {folder.uid_next}] Predicted next UID."
        )
        return f"[READ-{'ONLY' if read_only else 'WRITE'}] {name} selected. (Success)"

    def _append(self, name: str, *rest: str) -> str:
        folder = self._open(name)
        octets = self._literals[-1]
        date = next((each for each in rest if re.search(r"\d{4} \d\d:", each)), "")
        self._account.deliver(
            octets, datetime.strptime(date.strip(), "%d-%b-%Y %H:%M:%S %z") if date else datetime.now(UTC), name
        )
        return f"[APPENDUID {folder.validity} {folder.uid_next - 1}] (Success)"

    # --- the open folder ---

    def _open_folder(self) -> Folder:
        if self._folder is None:
            raise _Refused("No folder selected")
        return self._folder

    def _tell(self) -> None:
        """What changed since this client was told."""
        if self._folder is None:
            return
        for uid in [uid for uid in self._view if uid not in self._folder.mails]:
            self._say(f"* {self._view.index(uid) + 1} EXPUNGE")
            self._view.remove(uid)
        new = [uid for uid in self._folder.mails if uid not in self._view]
        if new:
            self._view += new
            self._say(f"* {len(self._view)} EXISTS")

    def _idles(self) -> str:
        self._say("+ idling")
        while not select.select([self._line.connection], [], [], LOOK_S)[0]:
            with self._account.lock:
                self._tell()
        self._account.heard.append(self._line.rfile.readline())
        return "IDLE terminated (Success)"

    def _chosen(self, sequence: str) -> list[tuple[int, Mail]]:
        """Of the UIDs in `1,3:5,7:*` those that are there."""
        folder = self._open_folder()
        last = max(folder.mails, default=0)
        wanted: set[int] = set()
        for part in sequence.split(","):
            low, _, high = part.replace("*", str(last)).partition(":")
            ends = sorted((int(low), int(high or low)))
            wanted.update(uid for uid in self._view if ends[0] <= uid <= ends[1])
        return [(uid, folder.mails[uid]) for uid in self._view if uid in wanted and uid in folder.mails]

    def _uid_search(self, *words: str) -> None:
        found = self._chosen("1:*") if self._open_folder().mails else []
        rest = list(words)
        while rest:
            match rest.pop(0).upper():
                case "UID":
                    wanted = self._chosen(rest.pop(0))
                    found = [each for each in found if each in wanted]
                case "UNDELETED":
                    found = [(uid, mail) for uid, mail in found if "\\Deleted" not in mail.flags]
                case "SINCE":
                    day = datetime.strptime(rest.pop(0) + " +0000", "%d-%b-%Y %z").date()
                    found = [(uid, mail) for uid, mail in found if mail.received.date() >= day]
                case "HEADER":
                    name, value = rest.pop(0), rest.pop(0)
                    line = re.compile(rf"^{re.escape(name)}:.*{re.escape(value)}".encode(), re.I | re.M)
                    found = [(uid, mail) for uid, mail in found if line.search(_head(mail.octets))]
                case "ALL":
                    pass
                case other:
                    raise _Refused(f"Could not parse command: {other}")
        self._say("* SEARCH" + "".join(f" {uid}" for uid, _ in found))

    def _uid_fetch(self, sequence: str, *wanted: str) -> None:
        inner = re.sub(r"^\(|\)$", "", " ".join(wanted)).strip()
        items = [each.decode() for each in _WORD.findall(inner.encode())]
        for uid, mail in self._chosen(sequence):
            parts = [b"UID %d" % uid, *(self._item(item, mail) for item in items)]
            self._say(b"* %d FETCH (%s)" % (self._view.index(uid) + 1, b" ".join(parts)))

    def _item(self, item: str, mail: Mail) -> bytes:
        match item.upper():
            case "RFC822.SIZE":
                return b"RFC822.SIZE %d" % len(mail.octets)
            case "INTERNALDATE":
                return b'INTERNALDATE "%s"' % mail.received.strftime("%d-%b-%Y %H:%M:%S %z").encode()
            case "FLAGS":
                return f"FLAGS ({' '.join(sorted(mail.flags))})".encode()
            case "X-GM-MSGID":
                return b"X-GM-MSGID %d" % mail.number
            case "X-GM-LABELS":
                return f"X-GM-LABELS ({' '.join(self._labels(mail))})".encode()
        found = re.fullmatch(r"BODY\.PEEK\[(HEADER(?:\.FIELDS \(.*\))?)?\](?:<0\.(\d+)>)?", item)
        if found is None:
            raise _Refused(f"Could not parse command: {item}")
        octets = mail.octets if found[1] is None else _head(mail.octets)
        if found[1] is not None and "FIELDS" in found[1]:
            names = "|".join(re.findall(r"[A-Z-]+", found[1].partition("(")[2]))
            lines = re.findall(rb"(?im)^(?:%s):.*\r?\n(?:[ \t].*\r?\n)*" % names.encode(), octets)
            octets = b"".join(lines) + b"\r\n"
        cut, start = (octets[: int(found[2])], b"<0>") if found[2] else (octets, b"")
        return b"BODY[%s]%s {%d}\r\n%s" % ((found[1] or "").encode(), start, len(cut), cut)

    def _labels(self, mail: Mail) -> Iterator[str]:  # all but that of the open folder, which goes without saying
        for name, folder in self._account.folders.items():
            if mail in folder.mails.values() and folder is not self._folder and folder.mark != "\\All":
                mark = "\\Draft" if folder.mark == "\\Drafts" else folder.mark
                yield '"' + (mark or _wire(name)).replace("\\", "\\\\") + '"'

    def _writable(self) -> Folder:
        folder = self._open_folder()
        if self._read_only:
            raise _Refused("[READ-ONLY] the folder was opened by EXAMINE")
        return folder

    def _uid_store(self, sequence: str, what: str, value: str) -> None:
        folder = self._writable()
        values = [self._word(each) for each in _WORD.findall(value.strip("()").encode())]
        for _, mail in self._chosen(sequence):
            match what.upper().removesuffix(".SILENT"):
                case "+FLAGS":
                    mail.flags.update(values)
                    if "\\Deleted" in values and self._account.auto_expunge:
                        self._account.expunge(folder, mail)
                case "+X-GM-LABELS":
                    for name in values:
                        self._account.label(mail, self._open(name))
                case other:
                    raise _Refused(f"Could not parse command: {other}")

    def _uid_expunge(self, sequence: str) -> None:
        folder = self._writable()
        for _, mail in self._chosen(sequence):
            if "\\Deleted" in mail.flags:
                self._account.expunge(folder, mail)

    def _uid_copy(self, sequence: str, name: str) -> str:
        target = self._open(name)
        pairs = [(uid, self._account.label(mail, target)) for uid, mail in self._chosen(sequence)]
        return _copied(target, pairs)

    def _uid_move(self, sequence: str, name: str) -> str:
        folder, target = self._writable(), self._open(name)
        if "MOVE" not in self._account.capabilities or folder.mark == "\\All":
            raise _Refused("[CANNOT] Cannot move")
        chosen = self._chosen(sequence)
        pairs = [(uid, self._account.label(mail, target)) for uid, mail in chosen]
        for _, mail in chosen if folder is not target else ():
            folder.take(mail)
        self._say(f"* OK {_copied(target, pairs)}")
        return "(Success)"


def _copied(target: Folder, pairs: list[tuple[int, int]]) -> str:
    if not pairs:
        return "No messages"
    olds, news = (",".join(str(pair[end]) for pair in pairs) for end in (0, 1))
    return f"[COPYUID {target.validity} {olds} {news}] (Success)"


def _head(octets: bytes) -> bytes:
    head, ending, _ = octets.partition(b"\r\n\r\n")
    return head + ending


def _wire(name: str) -> str:
    return imap_utf7.encode(name).decode("ascii")
