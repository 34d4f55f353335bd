"""Octets under right, wrong and missing charset labels go through `decode`; the text must be what was written."""

import pytest

from triaged.mail.charset import codec_of, decode

TEXTS = {
    "de": ("Sehr geehrte Frau Müller, für die Verlängerung unseres Vertrages: Schöne Grüße", ["cp1252", "utf-8"]),
    "fr": ("Madame, nous avons bien reçu votre réclamation à propos du contrat déjà signé.", ["cp1252", "utf-8"]),
    "pl": ("Dzień dobry, prosimy o przedłużenie umowy, proszę zadzwonić jutro. Łukasz Żak", ["cp1250", "iso8859-2"]),
    "cs": ("Dobrý den, žádáme o prodloužení smlouvy. S pozdravem, Jiří Šťastný", ["cp1250", "iso8859-2"]),
    "tr": ("Sayın yetkili, sözleşmemizin yenilenmesi için teklifinizi bekliyoruz. Işıl Öğüt", ["cp1254"]),
    "ru": ("Здравствуйте! Просим продлить наш договор ещё на год. С уважением, Иван", ["cp1251", "koi8-r", "cp866"]),
    "RU": ("СРОЧНО: ДОГОВОР НЕ ПРОДЛЕН, ПОЗВОНИТЕ ЗАВТРА", ["cp1251", "koi8-r"]),
    "uk": ("Доброго дня! Просимо продовжити договір на наступний рік.", ["cp1251", "koi8-u"]),
    "el": ("Καλημέρα σας, παρακαλώ να ανανεώσετε τη σύμβασή μας.", ["cp1253", "iso8859-7"]),
    "he": ("שלום רב, אנא חדשו את החוזה שלנו לשנה נוספת.", ["cp1255", "iso8859-8"]),
    "ar": ("السلام عليكم، نرجو تجديد العقد لمدة سنة أخرى.", ["cp1256"]),
    "th": ("สวัสดีครับ กรุณาต่อสัญญาของเราอีกหนึ่งปี", ["cp874"]),
    "zh": ("您好，请问我们的合同什么时候到期？请尽快给我们回电话。谢谢！", ["gb2312", "gb18030", "hz", "utf-8"]),
    "tw": ("您好，請問我們的合約什麼時候到期？請盡快給我們回電話。謝謝！", ["big5", "gbk", "utf-8"]),
    "ja": ("お世話になっております。契約更新の件でご連絡いたします。", ["iso2022_jp", "cp932", "euc_jp", "utf-8"]),
    "ko": ("안녕하세요. 저희 계약 갱신에 대해 문의드립니다. 전화 부탁드립니다.", ["euc_kr", "iso2022_kr", "utf-8"]),
}
MISFIT = "text does not fit its charset"
LABELS = [
    "",
    "us-ascii",
    "iso-8859-1",
    "utf-8",
    "x-unknown",
    "gb2312",
    "big5",
    "iso-2022-jp",
    "euc-kr",
    "hz-gb-2312",
    "utf-16",
]


@pytest.mark.parametrize("language", TEXTS)
def test_text_is_read_under_its_own_label_and_under_any_wrong_one(language: str) -> None:
    text, codecs = TEXTS[language]
    seen = 0
    for codec in codecs:
        for label in (codec, *LABELS):
            assert decode(text.encode(codec), label)[0] == text, (codec, label)
            seen += 1
    assert seen >= 12


@pytest.mark.parametrize(
    ("text", "codec"),
    [
        ("김 현진", "cp949"),
        ("稿殍", "gbk"),
        ("箠瓣", "big5"),
        ("犡剃", "big5hkscs"),
        ("йг", "cp1251"),
        ("ßé", "cp1252"),
    ],
)
def test_a_short_name_is_left_to_its_label(text: str, codec: str) -> None:
    assert decode(text.encode(codec), codec) == (text, "")


@pytest.mark.parametrize(
    ("octets", "label", "text", "defect"),
    [
        # An English text with one octet of another charset.
        (b"It\x92s \x93fine\x94 \x96 \x805", "", "It’s “fine” – €5", "8-bit text without a charset"),
        (b"Attention:\n\xa0\nplease read", "iso-8859-1", "Attention:\n\xa0\nplease read", ""),
        # A list's footer in Latin-1 below UTF-8; a character cut off at the end.
        ("Grüße aus Köln, ".encode() + b"Gr\xfc\xdfe", "utf-8", "Grüße aus Köln, Grüße", MISFIT),
        ("Продлите договор".encode()[:-1], "utf-8", "Продлите догово", MISFIT),
        # HZ under any label, and a tilde that is none.
        (b"Hi ~{:OM,~} now\n~{:OM,\nend", "us-ascii", "Hi 合同 now\n合同\nend", ""),
        (b"~user/~{x}", "gb2312", "~user/~{x}", ""),
        # ISO-2022-JP with a vendor's circled digit, with its escapes taken away, and with 8-bit EUC under its name.
        (b"\x1b$B-!8+@Q\x1b(B no. 5", "iso-2022-jp", "①見積 no. 5", ""),
        (b"Re: $B2q5D$N7o(B ok", "iso-2022-jp", "Re: 会議の件 ok", MISFIT),
        ("送信できませんでした。".encode("euc_jp"), "iso-2022-jp", "送信できませんでした。", MISFIT),
        # UTF-16 with and without mark, by name or not; UTF-8 that calls itself UTF-16.
        ("schön".encode("utf-16"), "utf-16", "schön", ""),
        ("schön".encode("utf-16-le"), "utf-16", "schön", ""),
        ("The contract".encode("utf-16-be"), "", "The contract", ""),
        ("schön".encode(), "utf-16", "schön", MISFIT),
        # Letters in UTF-7 are read, what hides markup stays as it is (S41).
        (b"Gr+APwA3w-e +AOQ", "utf-7", "Grüße ä", "letters in UTF-7"),
        (b"+ADw-script+AD4-alert(1)", "utf-7", "+ADw-script+AD4-alert(1)", "letters in UTF-7"),
        (b"+AGEAPABi-", "utf-7", "+AGEAPABi-", "letters in UTF-7"),
        (b"1+1=2 +- x", "utf-7", "1+1=2 +- x", "letters in UTF-7"),
    ],
)  # fmt: skip
def test_text_in_disorder(octets: bytes, label: str, text: str, defect: str) -> None:
    assert decode(octets, label) == (text, defect)


@pytest.mark.parametrize(
    "label",
    ["utf-7", "idna", "punycode", "unicode_escape", "raw_unicode_escape", "rot13", "zlib", "bz2", "hex", "base64", "uu",
     "quopri", "undefined", "mbcs", "oem", "", "\0", "../utf-8", "x" * 5_000, "9" * 5_000],
)  # fmt: skip
def test_a_mail_cannot_name_a_codec_that_is_no_charset(label: str) -> None:
    assert codec_of(label) == ""


def test_every_reading_of_every_octet_is_text_without_replacement() -> None:
    octets = bytes(range(256)) * 2
    text, defect = decode(octets, "")
    assert "\ufffd" not in text
    assert defect == "8-bit text without a charset"
