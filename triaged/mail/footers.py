"""Lines of a mail go in; which of them nobody wrote now comes out: signatures, disclaimers, list footers, warnings."""

from __future__ import annotations

import re
from typing import Literal

from triaged.mail.history import RULE, Page

Kind = Literal["", "line", "paragraph", "rest"]
"""What a footer takes with it: nothing, its line, its paragraph, everything as far as the next quote."""

_MAX_FOOTER = 500
"""Characters of a paragraph that are searched for what makes it a disclaimer."""
_MAX_LEGAL_LINES = 12
_MAX_CONTACT_LINES = 16
"""Lines that a person's address takes at the end of a mail."""
_MAX_CONTACT_LINE = 75
MAX_FOOTER_LINES = 40
"""Lines with text that a signature takes, a disclaimer included; more are sections of a text."""
MAX_CLOSING = 25
"""Characters of a line in any language that ends in a comma above a name: "Good luck,"."""
MAX_NAME_LINES = 5
"""Lines that a name, a title and a firm take below "FYI"."""

_SIGNATURE = re.compile(r"--\s?$|__\s?$|—\s?$|–\s?$|—-\s?$")
_SENT_FROM = re.compile(
    r"(?:sent (?:from|via|with|using) (?:my |the )?(?:\w+[ -]){0,4}?(?:iphone|ipad|ipod|blackberry|android|samsung|"
    r"galaxy|phone|smartphone|mobile(?: device)?|mobile phone|handheld|tablet|windows (?:mail|phone)|"
    r"outlook(?: for \w+)?|yahoo mail(?: \w+ \w+)?|gmail(?: mobile)?|mail(?: for windows(?: 10)?)?|"
    r"proton ?mail(?:.{0,30})?|tutanota|spark|mailbird|airmail|nine|bluemail|mobile|treo|nexus|pixel|xperia|htc|nokia|"
    r"huawei|xiaomi|droid|sparrow|front|superhuman|mailspring|newton mail|hey|verizon.{0,40}|device|at&t.{0,40})"
    r"(?:\s?[<(]\S{3,80}[>)])?[.! ]*$"
    r"|(?:von (?:meinem|meiner)|gesendet (?:von|mit|aus)|diese nachricht wurde von meinem) .{2,60}$"
    r"|envoyé (?:de|depuis|à partir de) (?:mon|ma|l['’]|outlook|yahoo|proton).{0,60}$"
    r"|enviado (?:desde|do|de|a partir) (?:mi|meu|el|outlook|yahoo).{0,60}$|inviato da(?:l|lla)? (?:mio )?.{2,40}$"
    r"|verzonden vanaf mijn .{2,40}$|verstuurd vanaf mijn .{2,40}$|skickat från min .{2,40}$|sendt fra min .{2,40}$"
    r"|wysłane z .{2,40}$|lähetetty .{2,30}(?:puhelimesta|iphonesta).{0,10}$|отправлено (?:с|из) .{2,40}$"
    r"|(?:从|從)我的.{1,20}(?:发送|傳送|发出)$|.{1,20}から送信$|(?:나의|내) .{1,20}에서 보냄$"
    r"|(?:get|download) outlook for (?:ios|android|mac).{0,60}$"
    r"|outlook für (?:ios|android).{0,60}$"
    r"|(?:télécharge[rz]|obtenez|obtener|descargar?) outlook (?:pour|para) .{0,60}$)",
    re.IGNORECASE,
)
_PICTURE = re.compile(
    r"(?:\[(?:cid|image|inline image|bild|imagen)\b[^\]]{0,120}\]|<[^<>@ ]{1,60}\.(?:png|jpe?g|gif)>)+$|"
    r"-----begin pgp signed message-----$|hash: sha\w+$",
    re.IGNORECASE,
)
_WARNING = re.compile(
    r"\W{0,4}(?:external|extern|externe|externo)(?: (?:e-?mail|sender|message|absender|nachricht))?\W{0,4}$"
    r"|(?:.{0,40}?(?:caution|warning|attention|notice|achtung|vorsicht|warnung|hinweis|prudence|atención|precaución)"
    r"\W{1,6})?(?:this|the sender of this|diese|dieser absender|ce|cet|este|el)\s(?:\w+\s){0,3}?"
    r"(?:e-?mails?|message|nachricht|courriel|correo|mensaje|absender)\b.{0,80}?"
    r"(?:outside|external|außerhalb|extern\w*|l['’]extérieur|extérieur\w*|fuera|externo)\b"
    r"|you don['’]t often get e-?mail from |sie erhalten nicht (?:oft|häufig) (?:e-?mails?|eine e-?mail) von "
    r"|vous (?:n['’]obtenez|ne recevez) pas souvent d|no suele recibir correo",
    re.IGNORECASE,
)
"""What a firm's own server puts above mail from elsewhere."""
_MACHINE = re.compile(
    r"(?:please )?(?:consider|think of|think about) (?:the|our) environment|please (?:don['’]t|do not) print|"
    r"think before (?:you )?print|save paper|"
    r"(?:bitte )?(?:denken sie|prüfen sie|überlegen sie).{0,60}(?:umwelt|ausdruck|drucken)|"
    r"(?:pensez|merci de penser|avant d['’]imprimer).{0,60}(?:environnement|imprim)|"
    r"(?:antes de imprimir|por favor,? (?:piense|considere)|piense).{0,80}(?:imprim|medio ?ambiente)|"
    r"(?:this|the) (?:e-?mail|message)(?: \w+){0,4} (?:has been|was|is) (?:scanned|checked|swept)|"
    r"(?:outgoing|incoming) mail is certified|checked by avg|virus-free|virenfrei|sans virus|libre de virus|"
    r"diese (?:e-?mail|nachricht) wurde (?:von|mit|auf) .{0,60}(?:viren|avast|geprüft)|"
    r"ce(?:t|tte)? (?:e-?mail|courriel|message) a été (?:vérifié|analysé)|"
    r"(?:este|el) (?:correo|mensaje).{0,40} ha sido (?:comprobado|analizado|escaneado)|"
    r"do you yahoo!\?|(?:get|send|join|chat|protect|add|help|msn|unlimited|tired|stay|discover).{3,90}"
    r"(?:hotmail|msn|yahoo)\b.{0,40}$|"
    r"\S{0,80}/mailman/listinfo/|\S{1,60} mailing list(?: <\S{1,80}>)?$|begin pgp signature-----|"
    r"this sf\.net e-?mail is sponsored|"
    r"(?:to|if you (?:want|wish|would like|no longer wish) to) (?:\w+ ){0,5}?unsubscribe|"
    r"you (?:are receiving|(?:have )?received) this (?:e-?mail|message|because|newsletter)|"
    r"view this e-?mail in your browser|reply to this e-?mail directly or view it|"
    r"sie erhalten diese (?:e-?mail|nachricht|newsletter)|(?:um sich|zum) (?:\w+ ){0,4}?(?:abmelden|abzumelden)|"
    r"vous recevez ce|pour (?:vous|se) désabonner|pour ne plus recevoir|(?:has recibido|recibes|recibe) este|"
    r"(?:para darse de baja|si no desea recibir|si no deseas recibir)",
    re.IGNORECASE,
)
_SPONSOR = re.compile(r"-{5,40}\s?yahoo! groups sponsor ?-{5,40}[~>-]{0,6}$|-{5,40}~-{0,3}>$", re.IGNORECASE)
_LEGAL_TITLE = re.compile(
    r"(?:legal |e-?mail )?(?:disclaimer|confidentiality)(?: (?:notice|note|statement|warning))?\W{0,4}(?:$|[:-])|"
    r"(?:legal|privacy|privileged) (?:notice|and confidential)\b|haftungsausschluss|vertraulichkeits?\w*|"
    r"rechtlicher hinweis|avis (?:de confidentialité|juridique|légal)|clause de confidentialité|"
    r"aviso (?:legal|de confidencialidad|importante)|nota de confidencialidad|cláusula de confidencialidad",
    re.IGNORECASE,
)
_LEGAL_START = re.compile(
    r"(?:n\.?b\.?|important|wichtig|note|notice|nota|hinweis|please note)?\W{0,3}(?:"
    r"(?:this|the|any|all|please note that this)(?: \w+){0,4}? "
    r"(?:e-?mail|message|messages|communication|communications|transmission|transmittal|electronic mail|information|"
    r"content|contents|document|views|opinions|attachments?)\b|"
    r"(?:privileged|confidential)\b|internet (?:e-?mail|communications)|"
    r"if you (?:are not|(?:have )?received? this|receive this|are not the)\b|"
    r"(?:diese|die in dieser|der inhalt dieser|der inhalt der|die|dieses|dies)(?: \w+){0,3}? ?"
    r"(?:e-?mail|nachricht|mitteilung|informationen|dokument|schreiben|übermittlung)\b|"
    r"(?:sollten|falls|wenn) sie (?:nicht|diese|irrtümlich)|"
    r"(?:ce|cet|cette|le présent|la présente|le contenu de ce|les|l['’])(?: ?\w+){0,3}? ?"
    r"(?:message|e-?mail|courriel|courrier|mail|informations?|communication)\b|"
    r"si vous (?:n['’]êtes pas|avez reçu|recevez)|"
    r"(?:este|esta|el contenido de este|la|el presente|la presente)(?: \w+){0,3}? ?"
    r"(?:mensaje|correo|e-?mail|información|comunicación|transmisión)\b|"
    r"si (?:usted |vd\. |ud\. )?(?:no es|ha recibido|recibe)|"
    r"(?:de conformidad con|en cumplimiento de|le informamos)|"
    r"(?:questo messaggio|le informazioni|dit bericht|deze e-?mail|de informatie|esta mensagem))",
    re.IGNORECASE,
)
_LEGAL = (
    # Whom it is for.
    ("intended", "addressee", "individual or entity", "designated recipient", "named above", "named recipient",
     "bestimmt", "richtige empfänger", "richtige adressat", "vorgesehene", "beabsichtigte", "nur für",
     "ausschließlich für", "destinat", "exclusi", "dirigid", "bestemd", "geadresseerde"),
    # That it is secret.
    ("confiden", "privilege", "proprietary", "vertraulich", "geschützt", "secret", "riservat", "vertrouwelijk"),
    # Who has it by mistake.
    ("in error", "by mistake", "irrtüm", "versehentlich", "fälschlich", "par erreur", "por error", "per errore"),
    # What that one must not do.
    ("prohibit", "unauthori", "disclos", "copying", "disseminat", "must not", "may not", "unbefugt", "gestattet",
     "untersagt", "weitergabe", "interdit", "divulg", "diffusion", "prohibid", "difusi", "vietat", "verboden"),
    # What to do with it.
    ("delete", "destroy", "vernicht", "lösch", "détrui", "supprim", "elimin", "borr", "destru", "verwijder"),
    # Whom to tell.
    ("notif", "the sender", "return e", "benachrichtig", "informieren sie", "expéditeur", "prévenir", "remitente",
     "mittente", "afzender"),
    # Who answers for it.
    ("virus", "liab", "necessarily re", "necessarily those", "haftet", "haftung", "übernehmen", "responsab"),
)  # fmt: skip
"""What disclaimers speak of, in English, German, French, Spanish; plain `in`, as patterns took 2 s for 1 MB."""
_CLOSING = re.compile(
    r"(?:(?:(?:with )?(?:best|kind|kindest|warm|warmest)(?: personal)? )?(?:regards|wishes)|best|sincerely(?: yours)?|"
    r"yours(?: \w+)?|respectfully|cordially|cheers|(?:many )?thanks(?: (?:again|in advance|and .{3,20}|so much))?|"
    r"thank you(?: .{3,30})?|thx|(?:mit )?(?:\w+ ){0,2}(?:freundlichen?|besten?|herzlichen?|liebe|viele|schöne|sonnige)"
    r" (?:grüßen?|grüssen?|gruß|gruss|dank)|mfg|lg|vg|grüße|gruß|(?:bien )?cordialement|"
    r"(?:bien|sincères?) \w{1,3} .{0,20}|"
    r"(?:meilleures|cordiales|sincères) salutations|salutations.{0,30}|merci.{0,30}|"
    r"(?:un )?(?:cordial )?saludos?(?: cordial(?:es)?)?|atentamente|atte|(?:muchas )?gracias.{0,30}|"
    r"(?:reciba|reciban) .{3,40})(?: (?:aus|from|de) .{2,20})?\s?[,.!;-]{0,3}$",
    re.IGNORECASE,
)
_CONTACT = re.compile(
    r"(?:\+|\(|\b)\d[\d ()./-]{6,22}\d\b|\S@\w[\w-]*\.\w|(?:^|[ <])www\.|"
    r"(?:tel|phone|fax|mobile?|cell|direct|office|telefon|mobil|tél|téléphone|portable|móvil|e-?mail|web(?:site)?)\b"
    r"[\w ]{0,12}[:.+(\d]",
    re.IGNORECASE,
)
_LABEL = re.compile(r"[A-Za-zÀ-ž][\w ]{1,24}:\s")
_SHORT_RULE = re.compile(r"\s*[-_=*~]{2,}")
_COLUMN = re.compile(r"\s{3}|\t|\s\|\s")
_ATTACHED = re.compile(r"- \S.{0,120}\.\w{2,4}$|<<.{1,120}>>$")
_ABBREVIATED = re.compile(r"(?:Inc|Corp|Ltd|Co|LLP|L\.P|N\.W|St|Ave|Jr|Dept|GmbH|S\.A|S\.L|B\.V)\.$|\)\.$")


def footer_kind(page: Page, index: int, *, written: bool) -> Kind:
    """What of these lines nobody wrote now. written: something that was written now stands above."""
    line = page.looked[index]
    if is_signature(page, index):
        return "rest" if written else ""
    below = index
    if RULE.fullmatch(line) is not None:
        below = _next_text(page, index + 1)
        if RULE.fullmatch(page.looked[below]) is not None:
            return ""
    elif _SPONSOR.fullmatch(line) is not None:
        return "rest" if written else "paragraph"
    elif (len(line) < 120 and _SENT_FROM.match(line) is not None) or _PICTURE.match(line) is not None:
        return "line"
    elif len(line) < 300 and _WARNING.match(line) is not None:
        return "paragraph"
    bare = page.looked[below].lstrip("|+*#\"'(-[ ")
    if _MACHINE.match(bare) is not None or (_LEGAL_TITLE.match(bare) is not None and _is_legal(page, below, least=1)):
        return "rest" if written else "paragraph"
    if _LEGAL_START.match(bare) is not None and _is_legal(page, below, least=3):
        return "rest" if written else "paragraph"
    return ""


def is_signature(page: Page, index: int) -> bool:
    """Whether the line is the "--" above a signature."""
    return _SIGNATURE.fullmatch(page.raw[index]) is not None


def _next_text(page: Page, index: int) -> int:
    for at in range(index, min(index + 3, len(page.looked))):
        if page.looked[at]:
            return at
    return min(index, len(page.looked) - 1)


def _is_legal(page: Page, index: int, *, least: int) -> bool:
    """Whether the paragraph speaks like a disclaimer: of `least` things that they speak of, or of its secret reader."""
    lines: list[str] = []
    for line in page.looked[index : index + _MAX_LEGAL_LINES]:
        if not line and len(lines) > 1:
            break
        lines.append(line.strip("|+ "))
    text = " ".join(lines)[:_MAX_FOOTER].lower()
    whom, secret, *others = (any(word in text for word in words) for words in _LEGAL)
    return (whom and secret) or whom + secret + sum(others) >= least


def contact_lines(lines: list[str]) -> range:
    """Which of the lines, at their end, are somebody's title, firm and numbers; the name above them is none of them."""
    end = len(lines)
    while end and (lines[end - 1] == "" or _ATTACHED.fullmatch(lines[end - 1].strip()) is not None):
        end -= 1
    top = _block_top(lines, end)
    start = _below_name(lines, top, end)
    if start >= end or not any(_CONTACT.search(line) for line in lines[start:end]):
        return range(0)
    return range(start, end)


def _block_top(lines: list[str], end: int) -> int:
    """Where the short lines at the end begin."""
    top = end
    while top and end - top < _MAX_CONTACT_LINES:
        line = lines[top - 1].strip()
        if line == "" and lines[top - 2 : top - 1] in ([""], []):
            break
        prose = line[-1:] in (".", "?", "!", ":", ",", ";") and not (_ABBREVIATED.search(line) or _CLOSING.match(line))
        labelled = _LABEL.match(line) is not None and _CONTACT.match(line) is None
        if len(line) > _MAX_CONTACT_LINE or labelled or (prose and _CONTACT.search(line) is None):
            break
        top -= 1
    return top


def _below_name(lines: list[str], top: int, end: int) -> int:
    """Below the name in these lines: below a closing, or where the first is a name apart from the text above."""
    for at in range(end - 1, top - 1, -1):
        if _CLOSING.match(lines[at].strip()) is not None:
            top = at + 1
            break
    else:
        while top < end and lines[top] == "":
            top += 1
        above = next((line for line in reversed(lines[:top]) if line), "")
        ends = above[-1:] in (".", "!", "?", ")") or (above[-1:] == "," and len(above) <= MAX_CLOSING)
        apart = (ends and lines[top - 1] == "") or _SHORT_RULE.fullmatch(above) is not None
        if not apart or top >= end or not _is_name(lines[top]):
            return end
    while top < end and lines[top] == "":
        top += 1
    return top + (top < end and _CONTACT.search(lines[top]) is None)


def _is_name(line: str) -> bool:
    words = _COLUMN.split(line.strip(" -–—*"))[0].split()
    return 1 < len(words) <= 5 and len(line) <= 45 and all(word[0].isupper() or word[0] in "(." for word in words)


_FYI = (
    r"(?:just )?(?:fyi|f\.y\.i|fwd?|for your (?:info(?:rmation)?|reference|records?|files?)|"
    r"zur (?:info(?:rmation)?|kenntnis(?:nahme)?)|z\.? ?k\.?|zk|"
    r"pour (?:votre |ton )?info(?:rmation)?|à titre d['’]information|"
    r"para (?:tu|su|vuestra) (?:información|conocimiento)|per conoscenza|ter info|weitergeleitet|reenvío)"
)
_BELOW = (
    r"(?:please )?(?:see|read|find|note)(?: the)?(?: attached| forwarded| following)?"
    r"(?: (?:e-?mail|e:mail|message|mail|note|info(?:rmation)?))?(?: below| attached)?(?: from [\w. ]{2,40})?|"
    r"siehe (?:unten|untenstehende (?:e-?mail|nachricht))|s\. ?u|voir ci-dessous|ci-dessous|ver (?:más )?abajo"
)
_NOTHING_OF_ONE_S_OWN = re.compile(rf"(?:{_FYI})?[\s.!:,;–-]*(?:{_BELOW})?[\s.!:]*", re.IGNORECASE)
_GREETING = re.compile(
    r"(?:hi|hello|dear|hey|all|team|hallo|liebe[rs]?|guten (?:tag|morgen)|moin|bonjour|cher|chère|hola|buenos días|"
    r"estimad[oa]s?|querid[oa]s?)\b.{0,40}$",
    re.IGNORECASE,
)


def adds_nothing(written: str) -> bool:
    """True for nothing, "FYI" or the like, and that with a greeting above, and a name and a title below it."""
    first, *below = [line for line in written.strip().split("\n") if line] or [""]
    if below and (_GREETING.match(first) or re.fullmatch(r"[A-Z][\w -]{1,30}[,:-]+", first)):
        first, *below = below
    if _NOTHING_OF_ONE_S_OWN.fullmatch(first) is None:
        # A name and a number, and no word more.
        return len(first.split()) <= 3 and 0 < len(below) <= MAX_NAME_LINES and all(map(_CONTACT.search, below))
    return len(below) <= MAX_NAME_LINES and all(
        len(line) <= 70 and (line[-1] not in ".!?" or _CLOSING.match(line)) for line in below
    )
