"""Octets whose charset is not known, or not to be believed, go in; the likeliest codec of the allow-list comes out.

A reading is weighed by its letters: how many are frequent ones of the script the codec is for, how many stand where
none would (a symbol within a word, a capital behind a small letter). Bounded: a sample of the octets is read.
"""

from __future__ import annotations

import codecs
import re
import unicodedata

_SAMPLE = 400
"""Octets that are weighed, from the first one over 127; 100 letters are enough to tell scripts apart."""
_FAVOUR = 0.3
"""What the label's own codec is ahead of the others: a label is right more often than not."""
_FAVOUR_OF_THE_VALID = 0.3
"""And what it is further ahead where the octets follow its rules, which few octets of other charsets do by chance."""
_FAVOUR_OF_THE_SHORT = 0.05
"""And for each octet that a text has less than twelve: a name of rare characters proves nothing against its label."""
_READABLE = 0.5
"""The weight of a reading that is text."""
_ENOUGH = 6
"""Characters over 127 that are evidence enough against the label, or for a script that is not Latin."""
_SHARE_OF_FREQUENT_HAN = 0.5
"""Of Chinese, Japanese and Korean text about half is in the lists below (our count over own texts, 2026-11)."""

_HAN = (
    "的一是不了在人有我他这中大来上个国到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可她里后小么心多天而能好都然没日"
    "于起还发成事只作当想看文无开手十用主行方又如前所本见经头面公同三已老从动两长知民样现分将外但身些与高意进把法此实回二理美点月"
    "明其种声全工己话儿者向情部正名定女问力机给等几很业最间新什打便位因重被走电四第门相次东政海口使教西再平真听世气信北少关并内加"
    "化由却代军产入先山五太水万市眼体别处总才场师书比住员九性通目华报立马命活难神数件安表原车白应路期叫常提感金何更反合放做系计或"
    "司利受光果界及今京务制解各任至清物台记边共风接它许八特望直服题建南度统色字请爱让认算论百义科怎元社术结六功指思非每管连远资带"
    "快条变联言权往展该领传近留决周保达办运半候七必城强完深区即求品转量空技程告语英基满式息写识极令收钱未持取设始版双商千容研找友"
    "站广改议形早际则首单据导失网专若谁读究包组造视离兴切您谢贵客户订价格票付款同邮附查复系确质支务约续续签标准投诉问题"
    "這個來國說們為時會過學對後麼沒於還發開無見經頭長動樣現將與進實點種聲話機給幾業間問電門東關並內卻產萬體別處總場師書報難數應"
    "車請讓認論義術結資帶條變聯權領傳決達辦運強轉輕滿識極錢設雙網專誰讀組視離興謝貴戶訂單價郵檔絡續簽標準題務約質確"
    "御様社会議日本語件送致願申上返信届下株式担当部者予定変更手配連絡資料添付確認注文契約更新金額請求書納期検討宜何卒"
)
_HANGUL = (
    "이다는에의을를가고하지로서한은도기사대시나인어리자해들아과정있수보만일게니라요그합습으면관제원주전여부구스성상금연소장동조경우비"
    "선생용계회신오드모안공유세중문화물치마내감녕입메약갱탁립확견적첨파주님까데트때했저희통습발송답변"
)
_CYRILLIC = "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъёіїєґ"
_GREEK = "αοιετσνηυρπκμλωδγχθφβξζψάέήίόύώς"
_WESTERN = "éèàêçùâîôûëïäöüßñáíóúãõåæøœìòÉÈÀÄÖÜÅØÑÇÓÁÍÚ"
_CENTRAL = "ąćęłńóśźżáčďéěíňřšťúůýžőűăîâşţđüöäôÁČŠŽŁŚŻŘÉÖÜÍŐ"


def _by_rank(letters: str) -> dict[str, float]:
    """Weights of an alphabet's letters, the most frequent first: what tells KOI8 in capitals from small letters."""
    return {each: 1.0 if rank < 12 else 0.6 for rank, each in enumerate(letters)}


_FREQUENT = {
    "han": dict.fromkeys(_HAN, 1.0),
    "japanese": dict.fromkeys([*_HAN, *map(chr, range(0x3041, 0x30FF))], 1.0),
    "hangul": dict.fromkeys(_HANGUL, 1.0),
    "cyrillic": _by_rank(_CYRILLIC) | _by_rank(_CYRILLIC.upper()),
    "greek": _by_rank(_GREEK) | _by_rank(_GREEK.upper()),
    "hebrew": _by_rank("יוהלאתרבמשנעדקחגפכטזסצםןךףץ"),
    "arabic": _by_rank("اليمنوترةبعدسفهكقحجشصطخىذئزضغثأإءظآؤ"),
    "thai": dict.fromkeys("านรกเงอมยลวดทตสปแหคบไขจพใชถผโธญณซฟฐศษภฉฮะัิีึืุู่้๊็์ำๆ", 1.0),
    "western": dict.fromkeys(_WESTERN, 1.0),
    "central": dict.fromkeys(_CENTRAL, 1.0),
    "turkish": dict.fromkeys("çğıöşüâÇĞİÖŞÜ", 1.0),
    "baltic": dict.fromkeys("āčēģīķļņšūžąęėįųõäöüŠŽČ", 1.0),
}
MULTIBYTE = frozenset(["gb18030", "big5hkscs", "cp950", "cp932", "euc_jp", "euc_jis_2004", "cp949", "johab"])
_LATIN = frozenset(["western", "central", "turkish", "baltic"])
_ALPHABETS = frozenset(["cyrillic", "greek", "hebrew", "arabic", "thai"])
_CANDIDATES = (
    # codec, script, head start: what is rare in mail must be clearly better
    ("utf-8", "", 0.1),
    ("cp1252", "western", 0.05),
    ("gb18030", "han", 0.0),
    ("big5hkscs", "han", 0.0),
    ("cp932", "japanese", 0.0),
    ("euc_jp", "japanese", 0.0),
    ("euc_jis_2004", "japanese", -0.05),
    ("cp949", "hangul", 0.0),
    ("cp1251", "cyrillic", 0.0),
    ("koi8-u", "cyrillic", 0.0),
    ("cp1250", "central", 0.0),
    ("iso8859-2", "central", 0.0),
    ("cp1254", "turkish", -0.05),
    ("cp1253", "greek", 0.0),
    ("cp1255", "hebrew", 0.0),
    ("cp1256", "arabic", 0.0),
    ("cp874", "thai", 0.0),
    ("cp1257", "baltic", -0.1),
    ("iso8859-5", "cyrillic", -0.1),
    ("cp866", "cyrillic", -0.1),
    ("mac-roman", "western", -0.1),
    ("cp850", "western", -0.2),
    ("mac-cyrillic", "cyrillic", -0.2),
)
_SCRIPTS = {codec: script for codec, script, _ in _CANDIDATES}
_SCRIPTS |= {"big5": "han", "cp950": "han", "hz": "han", "johab": "hangul", "shift_jis_2004": "japanese"}
_SCRIPTS |= {"iso8859-15": "western", "iso8859-7": "greek", "iso8859-8": "hebrew", "iso8859-6": "arabic"}
_SCRIPTS |= {
    "iso8859-4": "baltic",
    "iso8859-13": "baltic",
    "iso8859-3": "turkish",
    "cp437": "western",
    "kz1048": "cyrillic",
}
_TYPOGRAPHIC = frozenset("“”‘’–—…€")
_WIDESPREAD = frozenset("„‚£°§«»·•®©™\u00a0")
_NEUTRAL = frozenset("¡¿\u00ad\u200b、。，！？：；（）「」『』《》【】・　～￥№")


_HIGH = re.compile(rb"[\x80-\xff]")


def codec_for(octets: bytes, codec: str) -> str:
    """The codec that reads the octets best; `codec`: what the label says, `""` for none, favoured over the rest.

    `""` where none reads them as text and there was no label either.
    """
    sample = _sample(octets)
    high = sum(octet > 127 for octet in sample)
    best, best_score = codec, -1.0
    if codec:
        best_score = _weigh(sample, codec, _SCRIPTS.get(codec, "")) + _FAVOUR
        if codec in MULTIBYTE and _valid(sample, codec) and _weigh(sample, "utf-8", "") < _READABLE:
            best_score += _FAVOUR_OF_THE_VALID + _FAVOUR_OF_THE_SHORT * max(0, 12 - high)
        elif best_score > _FAVOUR + _READABLE:
            best_score += _FAVOUR_OF_THE_SHORT * max(0, 12 - high)
    if best_score < 1.0:
        for candidate, script, ahead in _CANDIDATES:
            score = _weigh(sample, candidate, script)
            score = ahead + score * (1 if script in _LATIN else min(1, (high + 1) / _ENOUGH))
            if score > best_score:
                best, best_score = candidate, score
    return best


def _valid(sample: bytes, codec: str) -> bool:
    try:
        codecs.getincrementaldecoder(codec)().decode(sample)
    except UnicodeDecodeError:
        return False
    return True


def _sample(octets: bytes) -> bytes:
    found = _HIGH.search(octets, 0, 200_000)
    first = found.start() if found is not None else 0
    before = 1 if first and octets[first - 1] < 128 else 0  # the letter before it counts, too
    return octets[first - before : first + _SAMPLE]


def _weigh(sample: bytes, codec: str, script: str) -> float:
    """About 1 for text of the script, 0 for nothing to tell by, below 0 for what nobody writes."""
    text = codecs.getincrementaldecoder(codec)("replace").decode(sample)
    frequent = _FREQUENT.get(script) or _any_script(text)
    rare = 0.1 if script in ("han", "japanese", "hangul") else 0.0
    good = bad = told = 0.0
    before, run, small_word = " ", 0, False  # run: letters over 127 side by side
    for each in text:
        if each <= "\x7f":
            bad += run > 0 and script in _ALPHABETS and each.isalpha()
            run, before = 0, each
            continue
        letter = each.isalpha()
        if not before.isalpha():
            small_word = each.islower()
        if each in _TYPOGRAPHIC:
            told, good = told + 1, good + 0.9
        elif each in _WIDESPREAD:
            told, good = told + 1, good + 0.7
        elif each not in _NEUTRAL:
            told += 1
            good += frequent.get(each, rare)
            if not letter:
                category = unicodedata.category(each)
                bad += (0.5 if codec == "utf-8" else 2) if each == "\ufffd" else 0.5
                bad += 1.5 if category in ("Cc", "Co", "Cn") else 0
                bad += before.isalpha() and category not in ("Mn", "Mc")
            elif (each.isupper() and small_word) or "\uff61" <= each <= "\uff9f":
                bad += 1
            elif script in _LATIN:
                bad += (run > 1) + (each not in frequent) * 0.5
            elif script in _ALPHABETS or codec in MULTIBYTE:
                bad += before.isalpha() and before < "\x80"
        run = run + 1 if letter else 0
        before = each
    if told == 0:
        return 0.0
    if script in ("han", "japanese", "hangul"):
        good = min(good / _SHARE_OF_FREQUENT_HAN, told)
    return (good - bad) / told


def _any_script(text: str) -> dict[str, float]:
    """The frequent letters of the script that the text has most of; for codecs of all scripts."""
    return max(_FREQUENT.values(), key=lambda letters: sum(each in letters for each in text[:200]))
