# ruff: noqa: E501 - a line of a list of words is easier to keep whole
"""The subject of a mail goes in, whether it names an automatic answer or a returned mail comes out, in forty languages."""

from __future__ import annotations

import re
from typing import Literal

# Words that name an automatic answer and nothing else, at the start of a subject and closed off by punctuation,
# since people write *about* automatic replies.
_REPLY = {
    "en": r"auto(?:matic(?:ally generated)?|mated|generated)?[- ]?(?:e-?mail )?(?:reply|response|respond|responder|"
    r"answer|acknowledge?ment)(?: message| notification| e-?mail)?|out[- ]of[- ](?:the[- ])?office[- ]?(?:auto\w*|"
    r"(?:auto\w*[- ])?(?:reply|message|notification|notice|response))|vacation (?:reply|message|notice|response|"
    r"auto-?reply)|absence (?:notification|notice|message)|away (?:message|notice|notification)|"
    r"(?:message from )?auto-?responder",
    "de": r"automatische (?:antwort|rückantwort|rueckantwort|nachricht|e-?mail-?antwort|abwesenheitsnotiz|"
    r"eingangsbestätigung)|abwesenheits(?:notiz|nachricht|meldung|benachrichtigung|mitteilung|info\w*|"
    r"hinweis|agent)|auto(?:matik)?antwort|urlaubs(?:notiz|nachricht|meldung|benachrichtigung)",
    "fr": r"r[ée]ponse automatique|message d[’']absence|notification d[’']absence|avis d[’']absence|"
    r"absence du bureau|message automatique|r[ée]pondeur automatique",
    "es": r"respuesta autom[aá]tica|autorrespuesta|auto[- ]respuesta|mensaje autom[aá]tico|aviso de ausencia|"
    r"contestaci[oó]n autom[aá]tica",
    "it": r"risposta automatica|risponditore automatico|messaggio automatico|avviso di assenza",
    "nl": r"automatisch(?:e)? (?:antwoord|bericht|afwezigheidsbericht|beantwoording|reactie)|"
    r"afwezigheids(?:bericht|melding|assistent)|niet op kantoor",
    "pt": r"resposta autom[aá]tica|mensagem autom[aá]tica|resposta de aus[eê]ncia|aviso de aus[eê]ncia",
    "sv": r"autosvar|automatisk(?:t)? (?:svar|meddelande)|automatsvar|frånvaro(?:meddelande|anmälan|assistent)",
    "da": r"automatisk (?:svar|besked)|fraværs(?:besked|meddelelse|assistent)|autosvar",
    "no": r"automatisk (?:svar|melding)|fraværs(?:melding|beskjed|assistent)|autosvar",
    "fi": r"automaattinen (?:vastaus|poissaoloviesti)|poissaolo(?:ilmoitus|viesti)|automaattivastaus",
    "is": r"sjálfvirkt svar",
    "pl": r"automatyczna odpowied[źz]|odpowied[źz] automatyczna|autoodpowied[źz]|autoresponder|"
    r"powiadomienie o nieobecno[śs]ci",
    "cs": r"automatick[áa] odpov[eě][ďd]|ozn[áa]men[íi] o nep[řr][íi]tomnosti",
    "sk": r"automatick[áa] odpove[ďd]",
    "hu": r"automatikus (?:válasz|üzenet|értesítés)|házon kívül",
    "ro": r"r[ăa]spuns automat|mesaj automat",
    "el": r"αυτόματη (?:απάντηση|απόκριση)|αυτοματη απαντηση",
    "tr": r"otomatik (?:yan[ıi]t|cevap|mesaj)",
    "ru": r"автоматический ответ|автоответ(?:чик)?|автоматическое (?:уведомление|сообщение)",
    "uk": r"автоматична відповідь|автовідповід[ьа]ч?",
    "bg": r"автоматичен отговор",
    "hr": r"automatski odgovor|samodejni odgovor|аутоматски одговор",
    "et": r"automaatvastus|automaatne vastus",
    "lv": r"automātiskā atbilde|automātiska atbilde",
    "lt": r"automatinis atsakymas",
    "ca": r"resposta autom[àa]tica",
    "ja": r"自動(?:応答|返信|回答|送信)(?:メール|メッセージ)?|不在(?:通知|のお知らせ|連絡|届)|休暇(?:のお知らせ|通知)",
    "zh": r"自[动動](?:回[复覆復]|答[复覆復]|回信|应答)|休假(?:通知|自动回复)|外出(?:通知|自动回复)",
    "ko": r"자동 ?(?:회신|응답|답장)|부재중 ?(?:알림|자동 ?응답)",
    "vi": r"(?:thư )?trả lời tự động",
    "id": r"balasan otomatis|jawapan automatik|respons otomatis",
    "th": r"ตอบกลับอัตโนมัติ|การตอบกลับอัตโนมัติ",
    "hi": r"प्रतिक्रिया स्वचालित|स्वचालित (?:उत्तर|जवाब|प्रतिक्रिया)",
    "ar": r"(?:ال)?رد (?:ال)?تلقائي|تشغيل الرد التلقائي",
    "he": r"תשובה אוטומטית|מענה אוטומטי",
    "fa": r"پاسخ خودکار",
}

# Words that people, too, put at the start of a subject: they count where nothing is asked in the text.
_AWAY_SUBJECT = {
    "en": r"(?:i(?:'m| am) )?(?:currently |temporarily )?(?:out[- ]of[- ](?:the[- ]|my )?office|ooo|oof|"
    r"away(?: from (?:the |my )?(?:office|desk|e?-?mail))?|"
    r"on (?:annual |parental |maternity |paternity |sick |medical )?(?:leave|vacation|holidays?)|not in (?:the )?office|"
    r"absent|absence|(?:annual |maternity |parental )leave|vacation|holiday)",
    "de": r"abwesenheit|abwesend|nicht (?:im (?:büro|haus|dienst)|am platz)|außer haus|ausser haus|"
    r"im urlaub|in elternzeit|urlaub",
    "fr": r"absente?|absence|hors du bureau|en (?:congés?|vacances)|cong[ée]s",
    "es": r"fuera de (?:la )?oficina|ausente|ausencia|de vacaciones|vacaciones",
    "it": r"fuori (?:sede|ufficio)|assente|assenza|in ferie|ferie",
    "nl": r"afwezig(?:heid)?|niet aanwezig|buiten kantoor|met vakantie|vakantie",
    "pt": r"fora do escrit[oó]rio|ausente|aus[eê]ncia(?: tempor[aá]ria)?|de f[eé]rias|f[eé]rias",
    "sv": r"frånvaro(?:rande)?|inte på kontoret|ej på kontoret|på semester|semester|tjänstledig",
    "da": r"fravær(?:ende)?|ikke (?:til stede|på kontoret)|ude af kontoret|på ferie|ferie",
    "no": r"fraværende|ute av kontoret|ikke på kontoret",
    "fi": r"poissa(?:olo)?|lomalla|en ole paikalla",
    "pl": r"nieobecno[śs][ćc]|poza biurem|nieobecn[ya]|urlop|na urlopie",
    "cs": r"nep[řr][íi]tomnost|mimo kancel[aá][řr]|dovolen[áa]",
    "sk": r"nepr[íi]tomnos[ťt]|mimo kancel[áa]rie",
    "hu": r"távollét|szabadság(?:on)?|irodán kívül",
    "ro": r"absen[țt][ăa]|plecat din birou|[îi]n concediu",
    "el": r"εκτός γραφείου|απουσία|σε άδεια",
    "tr": r"ofis d[ıi]ş[ıi]nda(?:y[ıi]m)?|izinde(?:yim)?|y[ıi]ll[ıi]k izin",
    "ru": r"вне офиса|нет на месте|отсутстви[ея]|отсутствую|в отпуске|отпуск",
    "uk": r"поза офісом|відсутн(?:ій|я|ість)|у відпустці|відпустка",
    "bg": r"извън офиса|отсъствие|в отпуск",
    "hr": r"odsut(?:an|na|nost)|izvan ureda|na godišnjem odmoru|odsoten",
    "et": r"kontorist väljas|puhkusel|äraolek",
    "lv": r"prombūtn[eē]|ārpus biroja|atvaļinājum[āa]",
    "lt": r"nesu biure|atostog(?:os|auju)|ne biure",
    "ca": r"fora de l[’']oficina|absent",
    "ja": r"不在(?:です|中)?|外出中|休暇中|席を外しております",
    "zh": r"外出|休假(?:中)?|不在(?:办公室|辦公室)|出差(?:中)?",
    "ko": r"부재 ?중|휴가 ?중|출장 ?중",
    "vi": r"vắng mặt|nghỉ phép",
    "id": r"sedang (?:cuti|tidak di kantor)|di luar kantor",
    "th": r"ไม่อยู่ที่สำนักงาน|ลาพักร้อน",
    "ar": r"خارج المكتب|في إجازة",
    "he": r"מחוץ למשרד|בחופשה",
    "fa": r"خارج از دفتر|در مرخصی",
}

_RETURNED = (
    r"undeliver(?:able|ed)(?: (?:e-?)?(?:mail|message)\b.*)?(?=\s*[:：(]|$)|undelivered mail returned to sender|"
    r"(?:e-?)?mail delivery (?:failed|failure|error|problem|report|subsystem|status|system)(?=\s*[:：(\[-]|$)|"
    r"notice: mail delivery status|"
    r"returned mail(?=\s*[:：(]| - |$)|mail returned(?=\s*[:：(]|$)|failed mail(?=\s*[:：(]|$)|"
    r"mail (?:could not|cannot|can't) be delivered|failure notice(?=\s*[:：(]|$)|"
    r"delivery status notification|delivery notification: delivery|postmaster notify: |mail system error|delivery status notice|"
    r"non-?delivery (?:report|notif\w*|receipt)|nondeliverable(?: mail)?|ndn(?=\s*:)|ndr(?=\s*:)|"
    r"(?:your )?(?:e-?)?(?:mail|message) (?:to \S+@\S+ )?(?:was |is |has been |could ?n[o'’]?t be |can ?n[o'’]?t be |"
    r"can['’]t be |was ?n[o'’]?t |has not been )?(?:un|not )?deliver(?:able|ed)\b|"
    r"(?:e-?)?(?:mail|message) (?:delivery (?:failure|failed|has failed)|could not be delivered|"
    r"you sent blocked|status - undeliverable)|delivery failure(?=\s*[:：(]?\s*(?:$|\S*@|re\b|user|mail))|"
    r"warning: (?:could not send|message .{0,60}delayed|(?:e-?)?mail.{0,30}delayed)|"
    r"(?:could not|unable to|cannot) (?:send|deliver) (?:your )?(?:e-?)?(?:message|mail)|"
    r"delayed mail(?=\s*[:：(]|$)|transient (?:delivery|mail) (?:failure|delay)|"
    r"(?:read|return|lese?)[- ]?receipt(?=\s*[:：(]|$)|email feedback report|complaint about message from \d|"
    r"automatically rejected mail|(?:mailbox|user) (?:full|unknown|quota exceeded)(?=\s*:)|\[?bounce\]? ?:|"
    r"benachrichtigung zum zustellstatus|notification d[’']état de remise|notificación sobre el estado|unzustellbar|nicht zustellbar|zustellung fehlgeschlagen|e-?mail-?zustellung fehlgeschlagen|"
    r"(?:ihre )?(?:e-?mail|mail|nachricht) (?:konnte nicht|ist nicht) (?:zugestellt|zustellbar)|unzustellbare (?:mail|"
    r"nachricht)|"
    r"zustellungs?(?:fehler|bericht|benachrichtigung)|rückläufer:|empfangsbestätigung|lesebestätigung|gelesen:(?= \S)|"
    r"non remis|(?:message )?non (?:délivré|distribué|distribuable|remis)|échec (?:de (?:la )?(?:remise|distribution|"
    r"livraison du (?:message|courriel))|d[’']envoi)|accusé de (?:lecture|réception)|"
    r"avis de non[- ](?:remise|distribution)|"
    r"no se puede entregar|no entregado|(?:correo|mensaje) (?:no entregado|devuelto)|error (?:en la|de) entrega|"
    r"notificación de (?:estado de )?entrega|"
    r"non recapitabile|mancato recapito|messaggio non (?:recapitabile|consegnato)|notifica di mancato recapito|"
    r"onbestelbaar|kan niet worden (?:bezorgd|afgeleverd)|niet (?:bezorgd|afgeleverd)|bericht niet bezorgd|"
    r"não é possível entregar|não entregue|mensagem não entregue|falha na entrega (?:da mensagem|do e-?mail)|"
    r"kan inte leverer\w*|olevererbart|det gick inte att leverera|ej levererat|kan ikke leveres|ikke leveret|"
    r"kunne ikke leveres|ikke levert|"
    r"toimittaminen epäonnistui|viestiä ei voi(?:tu|da) toimittaa|"
    r"niedostarcz\w*|nie można dostarczyć|zwrot wiadomości|"
    r"nedoruč\w*|nelze doručit|kézbesíthetetlen\w*|sikertelen kézbesítés|"
    r"nelivrabil|mesaj nelivrat|αδυναμία παράδοσης|δεν παραδόθηκε|teslim edilemedi|iletilemedi|"
    r"не доставлен\w*|не удалось доставить|недоставл\w*|недоставк\w*|сбой доставки|сообщение не доставлено|не вдалося доставити|не е доставено|neisporučivo|"
    r"配信不能|配信できません|配信エラー|送信エラー|メール配信エラー|未配信|配達不能|開封済み|"
    r"(?:系统|系統)?退信(?:通知)?(?=\s*[:：(（]|$)|未送达|未傳遞|无法送达|無法傳遞|无法投递|投递失败|배달 ?불능|배달되지 ?않음|전송 ?실패|반송|"
    r"không thể gửi|tidak terkirim|لم يتم التسليم|تعذر التسليم|לא ניתן למסור"
)

_PREFIX = r"(?:(?:\[[^\]]{1,60}\]|\*+spam\*+|\(?(?:external|extern|externe?l?)\)?|\*\*\*?|#|【[^】]{1,30}】)[:\s*]*)*"
_I_AM = r"(?:(?:auto: ?)?(?:ich bin|je suis|estoy|sono|ik ben|estou|jag är|jeg er|i am|i['’]m) )?"
_CLOSED = r"\s*(?:[:：;!.…]|[-–—|](?=\s|$)|[(\[（【]|$|(?=(?:re|aw|sv|antw|fwd?|wg|tr|rv|odp|ynt|回复)\s?[:：]))"


def _any(*tables: dict[str, str]) -> str:
    return "|".join(words for table in tables for words in table.values())


_SUBJECT_REPLY = re.compile(f"{_PREFIX}(?:{_any(_REPLY)}){_CLOSED}", re.IGNORECASE)
_SUBJECT_REPLY_BEGINS = re.compile(f"{_PREFIX}(?:{_any(_REPLY)})\\b", re.IGNORECASE)
_SUBJECT_TAGGED = re.compile(
    f"\\s*(?:[\\[(【]\\s*(?:{_any(_REPLY)})\\s*[\\])】]|auto(?:-?reply)? ?[:：] *(?:re|aw|sv|vs|antw|rv|res|odp|ynt) ?[:：])",
    re.IGNORECASE,
)
_SUBJECT_AWAY_OF = re.compile(
    f"{_PREFIX}(?:{_any(_AWAY_SUBJECT)})\\s*[:：]?\\s*(?:re|aw|sv|vs|antw|rv|r|res|odp|ynt|回复|答复)\\s?[:：]",
    re.IGNORECASE,
)
_SUBJECT_REPLY_OF = re.compile(
    f"{_PREFIX}(?:{_any(_REPLY)})\\s*(?:from|for|by|to|von|für|auf|de|da|a|van|från|fra|od|от)\\b", re.IGNORECASE
)
_SUBJECT_ENDS_SO = re.compile(
    f"[\\[(（【–—|-]\\s*(?:{_any(_REPLY)}|out[- ]of[- ](?:the[- ])?office|ooo|abwesend)\\s*[\\])）】.!]*$",
    re.IGNORECASE,
)
_UNTIL = (
    r"(?:\s*(?:(?:until|till|til|through|bis|jusqu|hasta|fino|tot|t/m|até|t\.?o\.?m\.?|till och med|indtil|frem til|asti|"
    r"saakka|až|έως|μέχρι|до|まで|至|까지)[^?!？]{0,30}$|(?=[^?!？]{0,12}\d)[^?!？]{0,30}$))"
)
"""After a word for absence: a span of time and nothing more."""
_SUBJECT_AWAY = re.compile(f"{_PREFIX}{_I_AM}(?:{_any(_AWAY_SUBJECT)})(?:{_CLOSED}|{_UNTIL})", re.IGNORECASE)
_SUBJECT_RETURNED = re.compile(f"{_PREFIX}(?:{_RETURNED})", re.IGNORECASE)
_SUBJECT_RETURNED_SURELY = re.compile(
    f"{_PREFIX}(?:(?!read|return|lese|empfang|gelesen|accus|\\[?bounce)(?:{_RETURNED})\\s*[:：]\\s*\\S|delivery status notification\\b|"
    "undelivered mail returned to sender|mail delivery (?:failed|failure|sub)\\w*|returned mail: |failure notice$|delivery notification: )",
    re.IGNORECASE,
)
"""With the subject of the mail that came back behind it, or in the very words of a mail server."""


Kind = Literal["", "automatic", "likely automatic", "perhaps automatic", "returned", "perhaps returned"]
"""`likely` and `perhaps`: people write such subjects as well, so that the text must be looked at."""


def kind_of(subject: str) -> Kind:
    """What the subject says the mail is; it is one line of at most some hundred characters."""
    named = _SUBJECT_REPLY.match(subject)
    if (
        (named is not None and named.end() < len(subject))
        or _SUBJECT_TAGGED.match(subject) is not None
        or _SUBJECT_AWAY_OF.match(subject) is not None
    ):
        return "automatic"  # "Automatic reply: Offer"; a bare "Autoresponder" may be what somebody writes about
    if _SUBJECT_RETURNED_SURELY.match(subject) is not None:
        return "returned"
    if (
        named is not None
        or _SUBJECT_REPLY_OF.match(subject) is not None
        or _SUBJECT_ENDS_SO.search(subject) is not None
    ):
        return "likely automatic"
    if _SUBJECT_REPLY_BEGINS.match(subject) is not None or _SUBJECT_AWAY.match(subject) is not None:
        return "perhaps automatic"
    return "perhaps returned" if _SUBJECT_RETURNED.match(subject) is not None else ""
