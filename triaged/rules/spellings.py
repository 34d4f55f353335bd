"""Words in, the ways in which mail writes their accents and a pattern for any of them out."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable


def alternation(words: Iterable[str]) -> str:
    """An alternation for a pattern: every spelling of every word, the longest first."""
    spelled = {form for word in words for form in spellings(word)}
    return "|".join(re.escape(form).replace(r"\ ", r"\s{1,2}") for form in sorted(spelled, key=lambda w: (-len(w), w)))


def spellings(word: str) -> set[str]:
    """The word with its accents in one piece, apart and left out; ä, ö, ü as ae, oe, ue too."""
    apart = unicodedata.normalize("NFD", word)
    bare = "".join(letter for letter in apart if unicodedata.combining(letter) == 0)
    return {word, apart, bare, word.replace("ä", "ae").replace("ü", "ue").replace("ö", "oe")}
