"""The text of a mail goes in; what was written now, and apart from it quotes, signatures and what was forwarded."""

from __future__ import annotations

import re

_MAX_LINES = 3_000
"""Lines looked at; what lies below counts as quoted: no person writes more, and 1 MB must take at most 200 ms."""
MAX_NAME_LINES = 5
"""Lines that a name, a title and a firm take below "FYI"."""
_MAX_LINE = 500
"""Characters of a line that are looked at; patterns below are bounded by it, so the whole is linear."""

# Each pattern reads one line (stripped, cut to 500 characters, without `>` and `*`).
_WROTE = re.compile(
    r"(?:\b(?:wrote|writes|schrieb(?:en)?|schreibt|a écrit|écrit|escribi[óo]|escribe|ha scritto|scrive|schreef|skrev|"
    r"skrifaði|kirjoitti|napisa[łl](?:\(a\))?|pisze|napsal(?:\(a\))?|napísal|escreveu|écrivait|írta|yazdı|"
    r"написал(?:а)?|пишет|"
    r"ha escrit|va escriure|a scris|έγραψε|şunları yazdı)|\bgeschreven|写道|寫道|のメッセージ|さんは書きました|"
    r"님이 작성)"
    r"[^:：]{0,60}[:：]\s*-{0,6}$",
    re.IGNORECASE,
)
_ATTRIBUTION_START = re.compile(
    r"(?:-{2,6}\s*)?(?:On|Am|Le|El|Il|Op|Den|På|Em|Dne|Dňa|W dniu|Dnia|W|Pada|Vào|Il giorno|Le jour|"
    r"Den)\b\s?.{0,300}$"
    r"|(?:mon|tue|wed|thu|fri|sat|sun|lun|mar|mer|jeu|ven|sam|dim|пн|вт|ср|чт|пт|сб|вс)\w{0,8}[.,]?\s"
    r"|\d{1,4}[-./年]\s?\d{1,2}[-./月]|\d{1,2}\s\w{3,12}\s\d{4}",
    re.IGNORECASE,
)
_DATED = re.compile(r"\d{1,2}[:.h]\d{2}|\b(?:19|20)\d\d\b|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}|@")
_ORIGINAL = re.compile(
    r"[-_=~\s]{2,40}\s*(?:original[- ]?(?:message|appointment)|reply message|ursprüngliche (?:nachricht|mail)|"
    r"original ?nachricht|message d'origine|message original|mensaje original|messaggio originale|"
    r"oorspronkelijk bericht|originalmeddelande|oprindelig meddelelse|opprinnelig melding|ursprungligt meddelande|"
    r"alkuperäinen viesti|mensagem original|wiadomość oryginalna|исходное сообщение|původní zpráva|原始邮件|原始郵件|"
    r"元のメッセージ|원본 메시지)\s*[-_=~\s]{0,40}:?$",
    re.IGNORECASE,
)
_FORWARDED = re.compile(
    r"(?:[-_=~>\s]{2,40}\s*(?:forwarded (?:message|by)|weitergeleitete nachricht|message transféré|message transmis|"
    r"mensaje reenviado|messaggio inoltrato|doorgestuurd bericht|vidarebefordrat meddelande|videresendt meddelelse|"
    r"mensagem encaminhada|przekazana wiadomość|пересылаемое сообщение|переадресованное сообщение|转发的邮件|"
    r"转发邮件|"
    r"転送メッセージ).{0,120}$)|(?:begin forwarded message|anfang der weitergeleiteten (?:nachricht|e-mail)|"
    r"début du message (?:réexpédié|transféré)|inicio del mensaje reenviado|inizio messaggio inoltrato)\s?:?$",
    re.IGNORECASE,
)
_FIELD = re.compile(
    r"(?P<from>from|von|de|da|van|från|fra|od|от|lähettäjä|发件人|寄件者|差出人|보낸 사람|feladó|gönderen|expéditeur)"
    r"(?:\s?[:：])"
    r"|(?P<other>sent|date|to|cc|bcc|subject|reply-to|gesendet|datum|an|kopie|betreff|envoyé|date|à|objet|"
    r"enviado(?: el)?|"
    r"fecha|para|asunto|inviato|data|oggetto|verzonden|aan|onderwerp|skickat|till|ämne|sendt|til|emne|dato|wysłano|"
    r"wysłane|do|temat|дата|кому|тема|отправлено|копия|lähetetty|vastaanottaja|aihe|发送时间|收件人|主题|抄送|"
    r"寄件日期|收件者|主旨|"
    r"送信日時|宛先|件名|날짜|받는 사람|제목|küldve|címzett|tárgy|"
    r"importance|priority|organization|attachments)(?:\s?[:：])",
    re.IGNORECASE,
)
_SIGNATURE = re.compile(r"--\s?$|-- $|__\s?$|—\s?$|–\s?$")
_SENT_FROM = re.compile(
    r"(?:sent (?:from|via|with|using) (?:my |the )?(?:\w+[ -]){0,4}?(?:iphone|ipad|ipod|blackberry|android|samsung|"
    r"galaxy|"
    r"phone|smartphone|mobile(?: device)?|mobile phone|handheld|tablet|windows (?:mail|phone)|outlook(?: for \w+)?|"
    r"yahoo mail(?: \w+ \w+)?|gmail(?: mobile)?|mail(?: for windows(?: 10)?)?|proton ?mail(?:.{0,30})?|tutanota|"
    r"spark|mailbird|"
    r"airmail|nine|bluemail|mobile|treo|nexus|pixel|xperia|htc|nokia|huawei|xiaomi|droid|sparrow|front|superhuman|"
    r"mailspring|newton mail|hey|verizon.{0,40}|device|at&t.{0,40})[.! ]*$"
    r"|(?:von meinem|gesendet (?:von|mit|aus)|diese nachricht wurde von meinem) .{2,60}$"
    r"|envoyé (?:de|depuis|à partir de) (?:mon|ma|l'|outlook|yahoo|proton).{0,60}$"
    r"|enviado (?:desde|do|de|a partir) (?:mi|meu|el|outlook|yahoo).{0,60}$|inviato da(?:l|lla)? (?:mio )?.{2,40}$"
    r"|verzonden vanaf mijn .{2,40}$|verstuurd vanaf mijn .{2,40}$|skickat från min .{2,40}$|sendt fra min .{2,40}$"
    r"|wysłane z .{2,40}$|lähetetty .{2,30}(?:puhelimesta|iphonesta).{0,10}$|отправлено (?:с|из) .{2,40}$"
    r"|(?:从|從)我的.{1,20}(?:发送|傳送|发出)$|.{1,20}から送信$|(?:나의|내) .{1,20}에서 보냄$"
    r"|get outlook for (?:ios|android|mac).{0,60}$|outlook für (?:ios|android).{0,60}$)",
    re.IGNORECASE,
)
_RULE = re.compile(r"[_\-=*~]{5,}$")
_NOTHING_OF_ONE_S_OWN = re.compile(
    r"(?:fyi|f\.y\.i|fwd?|for your info(?:rmation)?|see below|please see below|zur info(?:rmation)?|zur kenntnis|"
    r"z\.? ?k\.?|zk|siehe unten|"
    r"pour info|pour information|para tu información|voir ci-dessous|ver abajo|"
    r"per conoscenza|ter info|s\. ?u)?[\s.!:]*",
    re.IGNORECASE,
)


def split(text: str) -> tuple[str, str]:
    """(new text, quoted text), both `\\n` lines without empty lines around; new text is never empty if text is not.

    Answers between quotes stay new. A bare forward (nothing, or "FYI", above it) counts as its author's text.
    """
    lines = text.replace("\r\n", "\n").split("\n", _MAX_LINES)
    rest = lines.pop() if len(lines) > _MAX_LINES else ""
    lines = [line.rstrip() for line in lines]
    new = _new_lines(lines)
    kept = _joined([line for line, is_new in zip(lines, new, strict=True) if is_new])
    if kept == "":
        # Nothing but quotes or a signature: better judged whole than not at all.
        return _joined(lines) or rest.strip(), ""
    quoted = [line for line, is_new in zip(lines, new, strict=True) if not is_new]
    return kept, _joined([*quoted, *rest.split("\n")])


def _joined(lines: list[str]) -> str:
    squeezed: list[str] = []
    for line in lines:
        if line or (squeezed and squeezed[-1]):
            squeezed.append(line)
    return "\n".join(squeezed).strip("\n")


def _looked_at(line: str) -> str:
    return line[:_MAX_LINE].lstrip("> \t").strip().replace("*", "")


def _new_lines(lines: list[str]) -> list[bool]:
    """For each line whether it was written now."""
    new = [not line.lstrip().startswith((">", "|>")) for line in lines]
    written = ""  # what is known to be new so far; only its beginning is needed
    index = 0
    while index < len(lines):
        if not new[index] or lines[index] == "":
            index += 1
            continue
        line = _looked_at(lines[index])
        if end := _attribution_end(lines, new, index, line):
            if not _next_is_quote(lines, end) and (written or not any(lines[end:])):
                return new[:index] + [False] * (len(lines) - index)
            new[index:end] = [False] * (end - index)
            index = end
        elif end := _divider_end(lines, index, line):
            if not _adds_nothing(written):
                return new[:index] + [False] * (len(lines) - index)
            # A bare forward: its head is no one's text, what it forwards is judged like a mail of its own.
            new[index:end] = [False] * (end - index)
            index = end
        elif _is_signature(lines, index, line, written):
            index = _mark_signature(lines, new, index)
        else:
            written = written if len(written) > 300 else f"{written}\n{line}"
            index += 1
    return new


def _adds_nothing(written: str) -> bool:
    """True for nothing, "FYI" or the like, and that with a name and a title below it."""
    first, *below = written.strip().split("\n")
    return _NOTHING_OF_ONE_S_OWN.fullmatch(first) is not None and (
        len(below) <= MAX_NAME_LINES and all(len(line) <= 70 and line[-1:] not in ".!?" for line in below)
    )


def _attribution_end(lines: list[str], new: list[bool], index: int, line: str) -> int:
    """Behind the attribution ("On … wrote:", up to four lines) that begins here; 0 if none does."""
    if len(lines[index]) > _MAX_LINE:
        return 0
    if _wrote(line) and (_DATED.search(line) or _next_is_quote(lines, index + 1)):
        return index + 1
    starts = _ATTRIBUTION_START.match(line) is not None
    if not starts:
        # Any language: a line with a date or an address that ends in a colon right above quotes.
        ends = line.endswith((":", "：")) and _DATED.search(line) is not None
        return index + 1 if ends and _next_is_quote(lines, index + 1) else 0
    joined = line
    for last in range(index, min(index + 4, len(lines))):
        if last > index:
            if not lines[last].strip() or not new[last]:
                return 0
            further = _looked_at(lines[last])
            if (
                len(line) > 4
                and _DATED.search(line) is None
                and _ATTRIBUTION_START.match(further)
                and _DATED.search(further)
            ):
                return 0  # "On the whole, yes." above the attribution is no part of it
            joined = f"{joined} {further}"
        if _DATED.search(joined) is None or not joined.endswith((":", "：", "-", "wrote")):
            continue
        if _wrote(joined):
            return last + 1
        if joined.endswith((":", "：")) and _next_is_quote(lines, last + 1):
            return last + 1
    return 0


def _wrote(line: str) -> bool:
    """Whether a line ends like "… wrote:"; the last character is looked at first, for speed."""
    return line.rstrip("- \t")[-1:] in (":", "：") and _WROTE.search(line[-200:]) is not None


def _next_is_quote(lines: list[str], index: int) -> bool:
    for line in lines[index : index + 3]:
        if line.strip():
            return line.lstrip().startswith(">")
    return False


def _divider_end(lines: list[str], index: int, line: str) -> int:
    """Behind the divider or block of From/Sent/To fields that begins here; 0 if none does."""
    if _ORIGINAL.match(line) is not None or _FORWARDED.match(line) is not None:
        return _fields_end(lines, index + 1) or index + 1
    if _RULE.fullmatch(line) is not None:
        following = index + 1
        while following < min(index + 4, len(lines)) and not lines[following].strip():
            following += 1
        return _fields_end(lines, following)
    return _fields_end(lines, index)


def _fields_end(lines: list[str], index: int) -> int:
    """Behind a block of at least three fields, a From among the first four lines; 0 if there is none."""
    seen, has_from, last = 0, False, index
    gaps = 0
    for at in range(index, min(index + 14, len(lines))):
        line = _looked_at(lines[at])
        if line == "":
            gaps += 1
            if gaps > (1 if seen < 2 else 0) and seen:
                break
            continue
        found = _FIELD.match(line)
        if found is None:
            if seen == 0 or at - last > 3:
                break
            continue
        seen, has_from, last = seen + 1, has_from or found["from"] is not None, at
    return last + 1 if has_from and seen >= 3 else 0


def _is_signature(lines: list[str], index: int, line: str, written: str) -> bool:
    if _SIGNATURE.fullmatch(lines[index]) is not None:
        return written != ""
    return len(line) < 120 and _SENT_FROM.match(line) is not None


def _mark_signature(lines: list[str], new: list[bool], index: int) -> int:
    """Mark a signature; it ends where a quote or a divider begins."""
    only_line = _SIGNATURE.fullmatch(lines[index]) is None
    at = index
    while at < len(lines):
        if not new[at]:
            break
        line = _looked_at(lines[at])
        if at > index and line and (_attribution_end(lines, new, at, line) or _divider_end(lines, at, line)):
            break
        new[at] = False
        at += 1
        if only_line:
            break
    return at
