"""Two words and a language in, whether they are forms of one word that differ by number, case, gender, tense or person.

Words made from others are other words: *renew* is not *renewal*, *account* not *accountant*. Irregular forms (*send*,
*sent*) are not known either.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from itertools import product

EXACT_LETTERS = 3
"""Words up to this length have no other form: what differs from them by an ending is mostly another word."""
STEM_LETTERS = 3
"""Letters at the beginning that two forms have in common, at least."""
MOST_ENDING = 8
"""Letters of the longest ending and one more, for two words can share a letter of their endings."""

_PLAIN = str.maketrans(
    {"ß": "ss", **dict(zip("áàâäãåçéèêëíìîïóòôöõúùûü", "aaaaaaceeeeiiiiooooouuuu", strict=True))},
)
"""Letters without their marks; ñ stays (`año`, `ano`)."""

_DOUBLED = " | ".join(f"{letter} {letter}s {letter * 2}ed {letter * 2}ing" for letter in "bdglmnprt")
_SPANISH_PRONOUNS = "me te se lo la le nos los las les"
_ENDINGS = {
    # Each list between two bars is one pattern: any two of its endings on the same stem make two forms of one word.
    # `-` is none. Marks are left out (see `_PLAIN`). English doubles a last letter: plan, planned.
    "en": "- s ed ing | e es ed ing | y ies ied ying | s ses sed sing | x xes xed xing | z zes zed zing"
    f" | o oes oed oing | ch ches ched ching | sh shes shed shing | {_DOUBLED}",
    # nouns; adjectives; verbs; -nis and -in
    "de": "- e en em er es n s ern | - e en em er es | e en est et t te ten tet test end ete eten | n st t te ten"
    " | - se sen ses | - nen",
    # nouns and adjectives; verbs in -er, in -ir, in -re, in -eler; endings of adjectives and nouns that change
    "fr": "- e s es | - x"
    " | er e es ons ez ent ais ait ions iez aient ai as a ames erent erai eras era erons erez eront erais erait erions"
    " eriez eraient ee ees"
    " | ir is it issons issez issent issais issait issions issiez issaient irai iras ira irons irez iront irais irait"
    " iraient i ie ies"
    " | re s ons ez ent ais ait ions iez aient rai ras ra rons rez ront rais rait raient u ue us ues"
    " | ler le les lons lez lais lait laient la lee lees lle lles llent llerai llera llerons llerez lleront"
    " | al aux ale ales | eux euse euses | if ifs ive ives | l ls lle lles | n ns nne nnes | t ts tte ttes",
    # nouns and adjectives; verbs in -ar, in -er and -ir, both with their pronouns (`darme`)
    "es": "- s es | - a as es | o a os as"
    " | ar o as a amos ais an e aste asteis aron aba abas abamos abais aban are aras ara aremos areis aran aria arias"
    " ariamos arian es emos eis en aramos ase asen ando ado ada ados adas"
    f" {' '.join('ar' + pronoun for pronoun in _SPANISH_PRONOUNS.split())}"
    " | er ir o es e emos imos eis is en i iste io isteis ieron ia ias iamos iais ian ere eras era eremos ereis eran"
    " eria erias eriamos erian ire iras ira iremos ireis iran iria irias iriamos irian a as amos ais an iera ieras"
    " ieramos ieran iese iesen iendo ido ida idos idas"
    f" {' '.join(a + b for a, b in product(('er', 'ir'), _SPANISH_PRONOUNS.split()))}",
}
LANGUAGES = tuple(_ENDINGS)
"""ISO 639-1, those whose endings are known."""


def begins(word: str) -> str:
    """What all forms of a word, given in lower case, have in common, in every language."""
    return word if len(word) <= EXACT_LETTERS else word.translate(_PLAIN)[:STEM_LETTERS]


def is_form(word: str, other: str, language: str) -> bool:
    """Whether two words are the same or differ by an ending only. word: lower case; other: as it stands in a text.

    Accents make no difference. German changes the vowel of nouns only, which begin with a capital: *Vertrag* and
    *Verträge* are one word, *schon* and *schön* are two.
    """
    lower = other.lower()
    if word == lower:
        return True
    if language not in LANGUAGES or min(len(word), len(lower)) <= EXACT_LETTERS:
        return False
    if language != "de" or other[0].isupper():
        word, lower = word.translate(_PLAIN), lower.translate(_PLAIN)
    patterns = _patterns(language)
    for at in range(_common(word, lower), STEM_LETTERS - 1, -1):
        if max(len(word), len(lower)) - at > MOST_ENDING:
            break
        if not patterns.get(word[at:], _NONE).isdisjoint(patterns.get(lower[at:], _NONE)):
            return True
    return word == lower


_NONE: frozenset[int] = frozenset()


@cache
def _patterns(language: str) -> Mapping[str, frozenset[int]]:
    """Ending → the numbers of the patterns that have it."""
    found: dict[str, set[int]] = {}
    for number, pattern in enumerate(_ENDINGS[language].split(" | ")):
        for ending in pattern.split():
            found.setdefault(ending.removeprefix("-"), set()).add(number)
    return {ending: frozenset(numbers) for ending, numbers in found.items()}


def _common(word: str, other: str) -> int:
    """How many letters at the beginning are the same."""
    pairs = zip(word, other, strict=False)
    return next((at for at, (one, two) in enumerate(pairs) if one != two), min(len(word), len(other)))
