"""A domain goes in, which of the known domains it could be mistaken for comes out (UTS 39 skeletons, one letter)."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping

_LETTERS = dict(
    zip(
        "авсԁеѐёɡһіїјјкӏмпорԛгѕтуԝхѵьбᴄɑαβεηικνορτυχω0156ıłøđħŧæœßþ",
        "abcdeeeghiijjklmnopqrstuwxvb6caabenikvoptuxwolsgilodhtaobp",
        strict=True,
    )
)
"""Letters of other alphabets and digits → the Latin letter they look like; a part of UTS 39's confusables.txt."""
_PAIRS = (("rn", "m"), ("vv", "w"), ("cl", "d"), ("nn", "m"), ("ii", "u"), ("lj", "u"))
MIN_NAME_LETTERS = 6
"""Of names that differ in one letter; shorter ones are often neighbours by chance."""
MIN_SWAPPED_LETTERS = 4
"""Of one name under two endings."""
_SECOND_LEVEL = frozenset("ac co com edu gob gov gv ltd me net or org plc sch".split())
"""What stands before a country code as part of the ending (`co.uk`)."""


def skeleton(text: str) -> str:
    """What the eye sees: without accents, foreign letters as the Latin ones they look like, `rn` as `m`."""
    plain = "".join(each for each in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(each))
    plain = "".join(_LETTERS.get(each, each) for each in plain).replace("i", "l")
    for pair, one in _PAIRS:
        plain = plain.replace(pair, one)
    return plain


def index(domains: Iterable[str]) -> Mapping[str, str]:
    """What `lookalike` looks things up in: forms of each domain under which another one would be mistaken for it."""
    known: dict[str, str] = {}
    for domain in domains:
        for form in _forms(domain):
            known.setdefault(form, domain)
    return known


def lookalike(domain: str, known: Mapping[str, str]) -> str:
    """The known domain that this one could be mistaken for, `""` for none or when it is itself that domain.

    known: by `index`. Found are: letters that look alike; one letter more, less, other or moved in names of six and
    more; hyphens; another ending; the known domain written into a longer name.
    """
    name, ending = _name_and_ending(domain)
    for form in _forms(domain):
        found = known.get(form, "")
        if found == "" or found == f"{name}.{ending}" or _is_under(domain, found):
            continue
        other, _ = _name_and_ending(found)
        if form.startswith("~") and _digits_differ(name, other):
            continue
        return found
    labels = skeleton(domain).replace("-", ".").split(".")
    pieces = ("=" + ".".join(labels[start : start + size]) for start in range(len(labels)) for size in (2, 3))
    return next((found for each in pieces if (found := known.get(each, "")) and not _is_under(domain, found)), "")


def _is_under(domain: str, parent: str) -> bool:
    return domain == parent or domain.endswith(f".{parent}")


def _forms(domain: str) -> Iterator[str]:
    """Forms that two domains share when one could be taken for the other.

    `=…` the whole, `!…` the name alone, `~…` the name with one letter left out, before its ending.
    """
    name, ending = _name_and_ending(domain)
    seen = skeleton(name).replace("-", "")
    yield f"={skeleton(name)}.{skeleton(ending)}"
    yield f"={seen}.{skeleton(ending)}"
    if len(seen) >= MIN_SWAPPED_LETTERS:
        yield f"!{seen}"
        yield f"!{seen}{skeleton(ending.replace('.', ''))}"
    if len(seen) >= MIN_NAME_LETTERS:
        yield f"~{seen}.{ending}"
        for place in range(len(seen)):
            yield f"~{seen[:place]}{seen[place + 1 :]}.{ending}"


def _name_and_ending(domain: str) -> tuple[str, str]:
    """`mail.acme.co.uk` → `acme`, `co.uk`; by rule of thumb, without the list of public suffixes."""
    labels = domain.split(".")
    size = 2 if len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVEL else 1
    if len(labels) <= size:
        return domain, ""
    return labels[-size - 1], ".".join(labels[-size:])


def _digits_differ(name: str, other: str) -> bool:
    """`depot12` and `depot13` are neighbours, not a trick."""
    return name != other and name.strip("0123456789") == other.strip("0123456789")
