"""A mailbox and a sink in, seconds out: the least that the job can cost, with nothing decided and nothing looked up."""

from __future__ import annotations

import smtplib
import sqlite3
import time
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

from imapclient import IMAPClient

from triaged.backends.imap.line import ImapSettings

BATCH = 100


def floor(settings: ImapSettings, sink_port: int, answer: bytes, log: Path) -> tuple[float, int]:
    """Seconds from connecting to the last mail sent, and how many. answer: octets of one acknowledgement.

    Fetch by 100, parse, one row a mail and one durable transaction a batch, one mail sent for each on one connection.
    """
    began = time.monotonic()
    rows = sqlite3.connect(log, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL"):
        rows.execute(f"PRAGMA {pragma}")
    rows.execute("CREATE TABLE mail (id INTEGER PRIMARY KEY, message_id TEXT, sender TEXT, subject TEXT, body TEXT)")
    sent = 0
    with IMAPClient(settings.host, settings.port, ssl=False) as imap, smtplib.SMTP("127.0.0.1", sink_port) as smtp:
        imap.login(settings.user, settings.password)
        imap.select_folder("INBOX", readonly=True)
        uids = imap.search("ALL")
        for start in range(0, len(uids), BATCH):
            found = imap.fetch(uids[start : start + BATCH], ["BODY.PEEK[]", "INTERNALDATE"])
            mails = [_read(parts[b"BODY[]"]) for parts in found.values()]
            rows.execute("BEGIN IMMEDIATE")
            rows.executemany("INSERT INTO mail (message_id, sender, subject, body) VALUES (?, ?, ?, ?)", mails)
            rows.execute("COMMIT")
            for _ in mails:
                smtp.sendmail("", ["alex@client.example"], answer)
                sent += 1
        took_s = time.monotonic() - began
    rows.close()
    return took_s, sent


def _read(octets: bytes) -> tuple[str, str, str, str]:
    mail = message_from_bytes(octets, policy=default)
    assert isinstance(mail, EmailMessage)
    body = mail.get_body(("plain", "html"))
    assert body is not None
    return str(mail["Message-ID"]), str(mail["From"]), str(mail["Subject"]), body.get_content()
