"""Lines of a mail go in; where the head of an older mail in them ends comes out: attribution, divider, block of fields.

Heads are those of Outlook, Gmail, Apple, Thunderbird, Notes, web mailers and telephones. Each pattern reads one line,
cut to 500 characters; each look ahead is bounded: the whole is linear.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_MAX_LINE = 500
"""Characters of a line that are looked at."""
_MAX_ATTRIBUTION = 300
"""Characters of a line of an attribution; a longer one is prose."""
_MAX_HEAD_LINES = 120
"""Lines of one head: a mail to 400 people takes about 100 of them."""
_MAX_GAP = 8
"""Empty lines between the fields of a head; Notes leaves some."""
_WROTE_WITHIN = 120
"""Characters at the end of an attribution that are searched for "wrote"."""
_MAX_PREAMBLE_LINES = 6
"""Lines with name, date, "Sent by" and "Please respond to" above the "To:" of Notes."""
_MAX_HEAD_LINE = 120
"""Characters of a line with a name or a date above "To:"; a longer one is prose."""

_VERB = (
    r"(?:\b(?:wrote|writes|schrieb(?:en)?|schreibt|a écrit|écrit|escribi[óo]|escribe|ha scritto|scrive|schreef|skrev|"
    r"skrifaði|kirjoitti|napisa[łl](?:\(a\))?|pisze|napsal(?:\(a\))?|napísal|escreveu|écrivait|írta|yazdı|"
    r"написал(?:а)?|пишет|ha escrit|va escriure|a scris|έγραψε|şunları yazdı)|\bgeschreven|写道|寫道|のメッセージ|"
    r"さんは書きました|님이 작성)"
)
_WHO_AND_WHEN = r"[^:：]{0,60}(?:\d:\d[^:：]{0,20}){0,2}"
_WROTE = re.compile(rf"{_VERB}{_WHO_AND_WHEN}[:：]\s*-{{0,6}}$", re.IGNORECASE)
_WROTE_LAST = re.compile(rf"{_VERB}{_WHO_AND_WHEN}[:：]?$", re.IGNORECASE)
"""Between hyphens, as Zoho and Notes in a browser write it: "---- On …, Ann wrote ----"."""
_SAID = re.compile(rf"(?:.{{1,80}}?(?:{_VERB}|\b(?:said|says|sagte|meinte|a dit|dijo)))\s*[:：]$", re.IGNORECASE)
_NAME_IN_BRACKETS = re.compile(r"\[[A-Z][\w .'-]{1,40}\]$")
_MYSELF = re.compile(r"\b(?:I|we|ich|wir|je|j'ai|j’ai|nous|yo|he escrito|escribí|hemos)\b")
"""Who wrote is the author himself: "On Monday I wrote to you:" opens a complaint more often than a quote."""
_ATTRIBUTION_START = re.compile(
    r"(?:-{2,6}\s*)?(?:On|Am|Le|El|Il|Op|Den|På|Em|Dne|Dňa|W dniu|Dnia|W|Pada|Vào|Il giorno|Le jour|"
    r"Den)\b\s?.{0,300}$"
    r"|(?:mon|tue|wed|thu|fri|sat|sun|lun|mar|mer|jeu|ven|sam|dim|пн|вт|ср|чт|пт|сб|вс)\w{0,8}[.,]?\s"
    r"|\d{1,4}[-./年]\s?\d{1,2}[-./月]|\d{1,2}\s\w{3,12}\s\d{4}",
    re.IGNORECASE,
)
_DATED = re.compile(r"\d{1,2}[:.h]\d{2}|\b(?:19|20)\d\d\b|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}|@")
_DATE = re.compile(r"\b\d{1,4}[-/.]\d{1,2}[-/.]\d{2,4}\b|\b\d{1,2}\.? \w{3,10}\.? \d{4}\b")

_ORIGINAL = re.compile(
    r"[-_=~#?\s]{2,40}\s*(?:original[- ]?(?:message|appointment|nachricht|mail|e-mail)|reply message|"
    r"ursprüngliche (?:nachricht|mail|e-mail)|ursprungsnachricht|original ?nachricht|originaltermin|"
    r"message (?:d['’]origine|original|initial|précédent)|mensaje (?:original|anterior)|"
    r"messaggio originale|oorspronkelijk bericht|originalmeddelande|oprindelig meddelelse|opprinnelig melding|"
    r"ursprungligt meddelande|alkuperäinen viesti|mensagem original|wiadomość oryginalna|исходное сообщение|"
    r"původní zpráva|原始邮件|原始郵件|元のメッセージ|원본 메시지)\s*[-_=~#\s]{0,40}:?$",
    re.IGNORECASE,
)
_FORWARDED = re.compile(
    r"(?:[-_=~>\s]{2,40}\s*(?:(?:begin )?forwarded (?:message|text|by)|"
    r"(?:weitergeleitete nachricht|weitergeleitet von)|"
    r"message (?:transféré|transmis|réexpédié)|(?:transféré|réacheminé|réexpédié|transmis) par|"
    r"mensaje reenviado|(?:reenviado|remitido) por|messaggio inoltrato|inoltrato da|doorgestuurd (?:bericht|door)|"
    r"vidarebefordrat meddelande|videresendt meddelelse|"
    r"mensagem encaminhada|przekazana wiadomość|пересылаемое сообщение|переадресованное сообщение|转发的邮件|"
    r"转发邮件|転送メッセージ).{0,120}$)|(?:begin forwarded message|anfang der weitergeleiteten (?:nachricht|e-mail)|"
    r"début du message (?:réexpédié|transféré)|inicio del mensaje reenviado|inizio messaggio inoltrato)\s?:?$",
    re.IGNORECASE,
)
_REPLY_ABOVE = re.compile(
    r"(?:reply|respond|answer) above this line|(?:antwort|schreib)\w* .{0,30}(?:über|oberhalb) dieser (?:zeile|linie)|"
    r"répondre au[- ]dessus de cette ligne|(?:responda|escriba) .{0,30}(?:encima|arriba) de esta línea",
    re.IGNORECASE,
)
"""What help desks write above the mails they send."""
RULE = re.compile(r"[+|]?[_\-=*~#+]{5,}>?$")

_FIELD = re.compile(
    r"(?:(?P<from>from|von|de|da|van|från|fra|od|от|lähettäjä|发件人|寄件者|差出人|보낸 사람|feladó|gönderen|"
    r"expéditeur|absender|remitente|mittente)"
    r"|(?P<to>to|an|à|a|pour|para|aan|till|til|do|кому|vastaanottaja|收件人|收件者|宛先|받는 사람|címzett)"
    r"|(?P<subject>subject|betreff|thema|objet|sujet|asunto|oggetto|onderwerp|ämne|emne|temat|тема|aihe|主题|主旨|"
    r"件名|제목|tárgy|assunto)"
    r"|(?P<cc>cc|kopie(?: \(cc\))?|copie(?: à)?|copia)"
    r"|(?P<other>sent(?: by)?|date|bcc|cci|cco|ccn|reply-to|gesendet(?: am| von)?|datum|"
    r"blindkopie|envoyé(?: le| par)?|date d['’]envoi|enviado(?: el| por)?|fecha|inviato|data|"
    r"verzonden|skickat|sendt|dato|wysłano|wysłane|дата|отправлено|копия|lähetetty|发送时间|抄送|寄件日期|送信日時|"
    r"날짜|küldve|phone(?: no)?|please respond to|antwort an|répondre à|responder a|"
    r"importance|priority|sensitivity|organization|organisation|attachments?|wichtigkeit|priorität|anlagen?|"
    r"pièces? jointes?|importancia|adjuntos?|datos adjuntos|categories|auto forwarded by))"
    r"(?:\s{0,12}[:：]|$)",
    re.IGNORECASE,
)
_RESPOND = re.compile(r"(?:please respond to|bitte antwort an|veuillez répondre à|por favor,? responda a)\b", re.I)
_ENDS_OPEN = re.compile(r"(?:\d{1,2}[:.]\d{2})?[\s\w:.]{0,20}-{2,40}$")
"""The rest of a "---- Forwarded by …" that a mailer broke into two lines."""


@dataclass(frozen=True, slots=True)
class Page:
    """The lines of a mail: as they stand; as they are looked at; which field of a head each opens ("" for none);
    whether each is short and has a date in it.
    """

    raw: list[str]
    looked: list[str]
    fields: list[str]
    dated: list[bool]


def page_of(lines: list[str]) -> Page:
    """Look once at every line."""
    looked = [looked_at(line) for line in lines]
    dated = [len(line) <= _MAX_HEAD_LINE and _DATE.search(line) is not None for line in looked]
    return Page(lines, looked, [_field(line) for line in looked], dated)


def looked_at(line: str) -> str:
    """A line without its marks of quotes and of bold, cut to what is looked at."""
    bare = line[:_MAX_LINE].lstrip("> \t\u00a0").strip()
    return bare.replace("*", "") or bare


def is_quoted(line: str) -> bool:
    """Whether a line carries a mark of quotes; a row of a table, with further `|` in it, does not."""
    bare = line.strip()
    if bare.startswith((">", "|>")) or bare == "|":
        return True
    return bare.startswith("| ") and "|" not in bare.replace("| ", "", 8)


def next_is_quote(page: Page, index: int) -> bool:
    """Whether the next line with text, of three, is marked as quoted."""
    for line in page.raw[index : index + 3]:
        if line.strip():
            return is_quoted(line)
    return False


def attribution_end(page: Page, new: list[bool], index: int) -> int:
    """Behind the attribution ("On … wrote:", up to four lines) that begins here; 0 if none does."""
    line = page.looked[index]
    if _runs_on(line):
        return index + 1
    if len(line) > _MAX_ATTRIBUTION:
        return 0
    if _wrote(line) and (_DATED.search(line) or next_is_quote(page, index + 1)):
        return 0 if _speaks_of_oneself(page, line, index + 1) else index + 1
    if _ATTRIBUTION_START.match(line) is None:
        return index + 1 if _names_who_is_quoted(line) and next_is_quote(page, index + 1) else 0
    return _wrapped_attribution_end(page, new, index)


def _runs_on(line: str) -> bool:
    """Whether the old text follows the attribution in its line, as Yahoo on a telephone writes it."""
    address = line.find("@", 0, _MAX_ATTRIBUTION)
    colon = line.find(":", address, _MAX_ATTRIBUTION) if address > 0 else -1
    return colon > 0 and line[colon + 1 :] != "" and _opens_dated(line) and _wrote(line[: colon + 1])


def _names_who_is_quoted(line: str) -> bool:
    """Any language: a line with a date or an address that ends in a colon; "Ann said:"; "[Ann]"."""
    if line.endswith((":", "：")):
        return _DATED.search(line) is not None or (len(line) <= 90 and _SAID.match(line) is not None)
    return _NAME_IN_BRACKETS.match(line) is not None


def _wrapped_attribution_end(page: Page, new: list[bool], index: int) -> int:
    line = joined = page.looked[index]
    for last in range(index, min(index + 4, len(page.raw))):
        if last > index:
            further = page.looked[last]
            if further == "" or not new[last]:
                return 0
            if len(line) > 4 and _DATED.search(line) is None and _opens_dated(further):
                return 0  # "On the whole, yes." above the attribution is no part of it
            joined = f"{joined} {further}"
        if not joined.endswith((":", "：", "-", "wrote")) or _DATED.search(joined) is None:
            continue
        if _wrote(joined) or (joined.endswith((":", "：")) and next_is_quote(page, last + 1)):
            return 0 if _speaks_of_oneself(page, joined, last + 1) else last + 1
    return 0


def _opens_dated(line: str) -> bool:
    return _ATTRIBUTION_START.match(line) is not None and _DATED.search(line) is not None


def _speaks_of_oneself(page: Page, line: str, index: int) -> bool:
    return "@" not in line and _MYSELF.search(line) is not None and not next_is_quote(page, index)


def _wrote(line: str) -> bool:
    """Whether a line ends like "… wrote:"; the last character is looked at first, for speed."""
    return line.rstrip("- \t")[-1:] in (":", "：") and _WROTE.search(line[-_WROTE_WITHIN:]) is not None


def divider_end(page: Page, index: int) -> int:
    """Behind the divider or head that begins here, and the head below a divider; 0 if none does."""
    line = page.looked[index]
    if _is_divider(line):
        end = index + 1
        if not line.endswith(("-", "_", "=", "~", ":")) and end < len(page.raw):
            end += _ENDS_OPEN.fullmatch(page.looked[end]) is not None
        return head_end(page, _next_text(page, end)) or end
    if RULE.fullmatch(line) is not None:
        return head_end(page, _next_text(page, index + 1))
    return head_end(page, index)


def _is_divider(line: str) -> bool:
    if line.startswith("---") and line.endswith("---") and _WROTE_LAST.search(line.strip("- ")[-_WROTE_WITHIN:]):
        return True
    if len(line) <= _MAX_HEAD_LINE and _REPLY_ABOVE.search(line):
        return True
    return _ORIGINAL.match(line) is not None or _FORWARDED.match(line) is not None


def _next_text(page: Page, index: int) -> int:
    """The next line with text, of five."""
    for at in range(index, min(index + 5, len(page.raw))):
        if page.looked[at]:
            return at
    return index


def head_end(page: Page, index: int) -> int:
    """Behind a head of at least three fields, From among them or To, cc and Subject, or one of Notes; 0 if none."""
    if index >= len(page.raw):
        return 0
    if page.fields[index]:
        return _fields_end(page, index, dated=False)
    fields_at = _preamble_end(page, index)
    return _fields_end(page, fields_at, dated=True) if fields_at else 0


def _preamble_end(page: Page, index: int) -> int:
    """Where the "To:" stands below a name and a date, the head of Notes; 0 if no such head begins here."""
    if not 0 < len(page.looked[index]) <= _MAX_HEAD_LINE:
        return 0
    dated, letterhead, count = False, False, 0
    for at in range(index, min(index + 2 * _MAX_PREAMBLE_LINES, len(page.raw))):
        line, field = page.looked[at], page.fields[at]
        if line == "":
            letterhead = letterhead or _is_letterhead(page, index, at)
            if not (dated or letterhead):
                return 0
        elif (field == "to" and dated) or (field == "from" and letterhead):
            return at
        elif (
            count == _MAX_PREAMBLE_LINES
            or len(line) > _MAX_HEAD_LINE
            or field in ("subject", "from", "to")
            or line.startswith("--")
        ):
            return 0
        elif page.dated[at]:
            dated = True
        elif not (field or _is_name(line) or _RESPOND.match(line)):
            return 0
        count += line != ""
    return 0


def _is_letterhead(page: Page, index: int, blank: int) -> bool:
    """Whether an indented firm's name is followed by an indented "From:"."""
    at = _next_text(page, blank)
    return page.raw[index][:1] in ("\t", " ") and page.fields[at] == "from" and page.raw[at][:1] in ("\t", " ")


def _is_name(line: str) -> bool:
    return len(line) <= 70 and (line[-1] not in ".!?:;," or line.endswith(("Corp.", "Inc.", "Jr.", "Ltd.", "Co.")))


def _fields_end(page: Page, index: int, *, dated: bool) -> int:
    """Behind the fields that begin here, their wrapped values with them. dated: a name and a date stand above."""
    seen: set[str] = set()
    count, last, field, gap = 0, index, "", 0
    for at in range(index, min(index + _MAX_HEAD_LINES, len(page.raw))):
        if page.looked[at] == "":
            gap += 1
        elif gap > (0 if count >= 3 and "subject" in seen else _MAX_GAP):
            break
        elif page.fields[at]:
            if page.fields[at] == "from" and "from" in seen:
                break  # a table of mails is no head
            count, last, field, gap = count + 1, at, page.fields[at], 0
            seen.add(field)
        elif gap or not _goes_on(page, at, last, field):
            break
    # A receipt for a mail that was read names To, Subject and Sent; Notes, where it names no sender, has a cc, too.
    sent = "from" in seen or {"to", "cc", "subject"} <= seen
    whole = (sent and count >= 3) or (dated and "to" in seen and count >= 2)
    return _subject_end(page, last) if whole else 0


def _goes_on(page: Page, at: int, last: int, field: str) -> bool:
    """Whether a line that opens no field belongs to the value of the one above."""
    line = page.looked[at]
    return at - last <= 3 or (field != "subject" and any(mark in line for mark in "@/;,<"))


def _subject_end(page: Page, last: int) -> int:
    """Behind the last field; a long subject may take a second line, above an empty one."""
    following = page.looked[last + 1 : last + 3]
    if page.fields[last] == "subject" and len(page.looked[last]) >= 60 and len(following) == 2:
        return last + 1 + (following[0] != "" and following[1] == "")
    return last + 1


def _field(line: str) -> str:
    found = _FIELD.match(line)
    return found.lastgroup or "" if found is not None else ""
