"""An address field goes in, its addresses and the tricks it tries come out (RFC 5322 3.4, S32, S33)."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field

from triaged.mail.headers import one_line, text_of
from triaged.model import Address

MAX_ADDRESSES = 200
"""S42: more are not read."""
MAX_ADDR_SPEC = 320
"""Characters: 64 + @ + 255 (RFC 5321 4.5.3.1)."""

_LEXEME = re.compile(r"\"(?:[^\"\\]|\\.)*\"?|\\.|[()<>,;:]|[^\"\\()<>,;:]+", re.DOTALL)
_BETWEEN = re.compile(r"[\s\"<>():;,\\\x00-\x1f\x7f]+")
_QUOTED_LOCAL = re.compile(r"\"(?:[^\"\\\x00-\x1f]|\\[ -~])+\"@[^\s\"<>():;,\\@\x00-\x1f\x7f]+")
_LABEL = re.compile(r"[^\W_](?:[\w-]*[^\W])?")


@dataclass(slots=True)
class _Piece:
    """One element between commas, as it was read."""

    words: list[str] = field(default_factory=list)
    angles: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    after: bool = False


@dataclass(frozen=True, slots=True)
class AddressList:
    """addresses: in order. broken: elements in which no single address could be told. trick: what looks like an
    attempt to be read differently by different programs, `""` for none. group: RFC 5322 group syntax was used.
    over: there were more than `MAX_ADDRESSES`; the rest was not read."""

    addresses: tuple[Address, ...] = ()
    broken: int = 0
    trick: str = ""
    group: bool = False
    over: bool = False


def addresses(value: str, hint: str = "") -> AddressList:
    """Read an address field; hint: the charset of raw 8-bit octets."""
    pieces, group = _split(value.replace("[mailto:", "["))
    found: list[Address] = []
    over = False
    broken, trick = 0, "there is a NUL in the address" if "\0" in value else ""
    for piece in pieces:
        address, why = _read(piece, hint)
        trick = trick or why
        if address is None:
            # "Smith, John <j@x.example>": a comma that should have been quoted hides no second address.
            broken += any("@" in each for each in (*piece.words, *piece.angles, *piece.comments))
        elif len(found) < MAX_ADDRESSES:
            found.append(address)
        else:
            over = True
    return AddressList(tuple(found), broken, trick, group, over)


def _split(value: str) -> tuple[list[_Piece], bool]:
    """Cut at commas outside quotes, comments and angle brackets, in one pass and without recursion."""
    pieces: list[_Piece] = []
    piece, group, depth = _Piece(), False, 0
    comment: list[str] = []
    angle: list[str] | None = None
    for lexeme in _LEXEME.findall(value):
        if depth:
            depth += (lexeme == "(") - (lexeme == ")")
            if depth:
                comment.append(lexeme)
            else:
                piece.comments.append("".join(comment))
        elif lexeme == "(":
            depth, comment = 1, []
        elif angle is not None:
            if lexeme == ">":
                piece.angles.append("".join(angle))
                angle = None
            else:
                angle.append(lexeme)
        elif lexeme == "<":
            angle = []
        elif lexeme in ",;":
            pieces.append(piece)
            piece = _Piece()
            if len(pieces) > MAX_ADDRESSES:
                break
        elif lexeme == ":":
            group = True
            pieces.append(piece)
            piece = _Piece()
        elif lexeme.strip():
            piece.words.append(lexeme)
            piece.after = piece.after or bool(piece.angles)
    if angle is not None:
        piece.angles.append("".join(angle))
    if depth:
        piece.comments.append("".join(comment))
    pieces.append(piece)
    return [each for each in pieces if each.words or each.angles or each.comments], group


def _read(piece: _Piece, hint: str) -> tuple[Address | None, str]:
    """The address of one element, and the trick it tries."""
    bare = " ".join(word for word in piece.words if not word.startswith('"'))
    in_words = _specs(bare)
    inside = [spec for angle in piece.angles for spec in _specs(angle.removeprefix("mailto:"))]
    hidden = [spec for comment in piece.comments for spec in _specs(comment)]
    specs = inside if piece.angles else in_words or _specs(" ".join(piece.words))
    if len(specs) == 0:
        return None, "two addresses in one" if in_words and piece.angles else ""
    if len({spec.lower() for spec in (*specs, *in_words, *hidden)}) > 1 or any("<" in each for each in piece.comments):
        return None, "two addresses in one"
    addr_spec = normal(specs[0])
    if addr_spec == "":
        return None, ""
    name = _display(piece, specs[0], hint)
    shown = {spec.lower() for spec in _specs(name)}
    trick = "the display name is another address" if shown and addr_spec.lower() not in shown else ""
    return Address(addr_spec, name), trick


def _specs(text: str) -> list[str]:
    if "@" not in text or len(text) > 20_000:
        return []
    if text.startswith("@") and ":" in text:  # obsolete route: <@relay.example,@other.example:user@client.example>
        text = text.rpartition(":")[2]
    if text.startswith('"') and (quoted := _QUOTED_LOCAL.fullmatch(text.strip())) is not None:
        return [quoted[0]]
    # Cut, then look: a pattern with an open left side would be quadratic on long runs without an @.
    return [
        each.strip("'[]")
        for each in _BETWEEN.split(text)
        if each.count("@") == 1 and each.strip("'[]@").count("@") == 1
    ]


def _display(piece: _Piece, spec: str, hint: str) -> str:
    words = (
        [word if word.startswith('"') else word.replace(spec, " ") for word in piece.words]
        if not piece.angles
        else piece.words
    )
    unquoted = [re.sub(r"\\(.)", r"\1", word.strip('"')) if word.startswith('"') else word.strip() for word in words]
    name = text_of(" ".join(each for each in unquoted if each), hint)
    name = name or text_of(" ".join(piece.comments), hint)
    return one_line(name).strip("'\" ")[:200]


def normal(spec: str) -> str:
    """The addr-spec with its domain in lower case and U-labels; `""` where that is no usable address."""
    local, _, domain = spec.rpartition("@")
    if len(spec) > MAX_ADDR_SPEC or local == "":
        return ""
    if not spec.isascii():
        # Raw UTF-8 (RFC 6532), carried as one character per octet.
        try:
            local, _, domain = spec.encode("latin-1").decode("utf-8").rpartition("@")
        except UnicodeError:
            return ""
    domain = domain.rstrip(".").lower()
    if domain.startswith("["):
        return f"{local}@{domain}"
    labels = [_u_label(label) for label in domain.split(".")]
    if any(_LABEL.fullmatch(label) is None or len(label) > 63 for label in labels):
        return ""
    return f"{local}@{'.'.join(labels)}"


def person_key(addr_spec: str) -> str:
    """One spelling for all addresses that reach one person: `Ann.Lee+news@Googlemail.com` → `annlee@gmail.com` (S14).

    Case, full-width forms, quotes, `+tag`, dots before the `@` and the form of an IDN make no difference. Two people
    who differ only in dots share a key, which is the safe side: it is used to answer less, never to find somebody.
    """
    local, _, domain = unicodedata.normalize("NFKC", addr_spec).strip(" <>").rpartition("@")
    local = local.strip().removeprefix('"').removesuffix('"').replace("\\", "").casefold()
    bare = local.partition("+")[0].replace(".", "")
    return f"{bare or local}@{person_domain(domain)}"


def person_domain(domain: str) -> str:
    """The domain as `person_key` has it: NFKC, case folded, U-labels, no dot at the end, Gmail under one name."""
    # The ideographic full stops divide labels as well (RFC 3490 3.1); NFKC makes two of the three a plain one.
    labels = unicodedata.normalize("NFKC", domain).replace("\N{IDEOGRAPHIC FULL STOP}", ".").strip(" .").casefold()
    plain = ".".join(unicodedata.normalize("NFKC", _readable(label)).casefold() for label in labels.split("."))
    return "gmail.com" if plain == "googlemail.com" else plain


def _readable(label: str) -> str:
    """The label's letters, also where no register would have them; only for comparing."""
    try:
        return label[4:].encode("ascii").decode("punycode") if label.startswith("xn--") and len(label) < 64 else label
    except (UnicodeError, OverflowError):
        return label


def _u_label(label: str) -> str:
    """`xn--mnchen-3ya` → `münchen`; a label that does not survive the way back stays as it is."""
    if not label.startswith("xn--") or len(label) > 63:
        return label
    try:
        shown = label[4:].encode("ascii").decode("punycode")
        return shown if shown.encode("idna").decode("ascii") == label else label
    except UnicodeError:
        return label
