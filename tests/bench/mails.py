"""A number and a seed in; as many mails of about 4 kB in the words of the shipped examples, and their accounts, out."""

from __future__ import annotations

import json
import random
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any

from triaged.accounts.read_csv import COLUMNS
from triaged.shipped import EXAMPLES

CLIENTS = 40
SIZE_BYTES = 4_000
_DATE = "Mon, 16 Nov 2026 08:%02d:%02d +0000"
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def make_mails(count: int, *, seed: int) -> list[bytes]:
    """The same mails for the same count and seed; half of them plain with a quoted thread, half with an HTML part."""
    chance = random.Random(seed)
    rows = [json.loads(line) for file in sorted(EXAMPLES.glob("*.jsonl")) for line in file.open(encoding="utf-8")]
    wanted = [row for row in rows if row["labels"] != ["other"]]
    return [_mail(number, chance, chance.choice(wanted), rows) for number in range(count)]


def write_accounts(file: Path) -> None:
    """One account a client, by its domain and without a manager: so that every mail sent is an acknowledgement."""
    lines = [",".join(COLUMNS)]
    for client in range(CLIENTS):
        cells = {"account_id": f"B-{client}", "name": f"Bench client {client}", "domain": f"client{client}.example"}
        lines.append(",".join(cells.get(column, "") for column in COLUMNS))
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _mail(number: int, chance: random.Random, row: dict[str, Any], rows: list[dict[str, Any]]) -> bytes:
    client = chance.randrange(CLIENTS)
    date = _DATE % divmod(number % 3600, 60)
    mail = EmailMessage(policy=SMTP)
    for hop in range(3):
        mail["Received"] = (
            f"from mx{hop}.client{client}.example by mx.bench.example with ESMTPS id {number}-{hop}; {date}"
        )
    mail["DKIM-Signature"] = (
        f"v=1; a=rsa-sha256; d=client{client}.example; s=a; h=from:to:subject; "
        f"bh={_noise(chance, 44)}; b={' '.join(_noise(chance, 64) for _ in range(5))}"
    )
    mail["From"] = f"Alex Bench <alex{chance.randrange(5)}@client{client}.example>"
    mail["To"] = "Client Desk <desk@bench.example>"
    mail["Subject"] = row["subject"]
    mail["Date"] = date
    mail["Message-ID"] = f"<bench-{number}@client{client}.example>"
    # The quoted thread fills the mail up: real mails of this size are mostly that.
    room = SIZE_BYTES - 1_400 - len(row["body"])
    if number % 2 == 0:
        thread = _thread(chance, rows, room).replace("\n", "\n> ")
        mail.set_content(f"{row['body']}\n\nOn Fri, 13 Nov 2026, Client Desk wrote:\n> {thread}\n")
        return mail.as_bytes()
    mail.set_content(row["body"])
    paragraphs = "".join(f'<p class="MsoNormal">{line}</p>\n' for line in row["body"].split("\n"))
    room -= len(paragraphs)
    thread = _thread(chance, rows, room).replace("\n", "<br>\n")
    html = f"<html><body>{paragraphs}<blockquote type='cite'>{thread}</blockquote></body></html>"
    mail.add_alternative(html, subtype="html")
    return mail.as_bytes()


def _thread(chance: random.Random, rows: list[dict[str, Any]], room: int) -> str:
    text = ""
    while len(text) < room:
        text += chance.choice(rows)["body"] + "\n"
    return text[: max(room, 0)]


def _noise(chance: random.Random, length: int) -> str:
    return "".join(chance.choices(_LETTERS, k=length))
