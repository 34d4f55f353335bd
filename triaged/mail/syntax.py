"""A template that Jinja2 cannot read and what Jinja2 says in, the line and a sentence for whoever wrote it out."""

from __future__ import annotations

import re
from typing import Final

from jinja2 import Environment, TemplateSyntaxError

_ENDS: Final = {"if": "endif", "for": "endfor"}
_SAYINGS: Final[tuple[tuple[str, str], ...]] = (
    (r"unexpected '\}'", "unexpected '}': {{ contact }} ends with two braces, {% if contact %} with %}"),
    (r"unexpected end of template", "'{{' begins a variable that never ends; write }} behind it"),
    (r"Missing end of comment tag", "the note that begins here never ends; write #} behind it"),
    (r"unexpected char '([“”„‟‘’‚«»])'", "<> is a curly quote; within {{ }} and {% %} use straight ones"),
    (r"""unexpected char (?:"'"|'"')""", "a text in quotes begins here and never ends"),
    (r"unexpected char '(.+)' at \d+", "'<>' cannot stand within {{ }} or {% %}"),
    (r"expected token 'end of statement block', got 'if'", "'else if' is written as one word: {% elif … %}"),
    (
        r"expected token 'end of statement block', got '='",
        "to compare, write two equals signs: {% if tier == 'gold' %}",
    ),
    (r"expected token 'in', got", "a loop is written {% for words in evidence %}"),
    (r"expected token ':', got '\}'", "three braces in a row; a variable has two, {{ contact }}"),
    (
        r"expected token 'end of print statement', got '(.+)'",
        "there is '<>' too many; one variable stands in {{ }}, and words stand outside of it",
    ),
    (r"expected token '.+', got '(.+)'", "'<>' is not understood here; conditions are like {% if contact and due %}"),
    (
        r"(?:Expected an expression, got|unexpected) 'end of print statement'",
        "a variable is missing before }}; write {{ contact }}",
    ),
    (
        r"(?:Expected an expression, got|unexpected) 'end of statement block'",
        "a variable is missing before %}; write {% if contact %}",
    ),
    (r"(?:Expected an expression, got|unexpected) '(.+)'", "a variable or a text is missing before '<>'"),
    (r"[Tt]ag name expected", "there is nothing between {% and %}; write {% if contact %} or take it out"),
    (
        r"unknown tag '(endif|endfor|else|elif)'",
        "there is {% <> %} without its beginning; take it out, or begin it above",
    ),
    (r"unknown tag '([^']+)'", "there is an unknown tag '<>'; there are if, elif, else, endif, for and endfor"),
)
"""What Jinja2 3.1 says → what we say; `<>` is what stands there."""


def syntax_problem(grammar: Environment, source: str, error: TemplateSyntaxError) -> tuple[int, str]:
    """The line within `source` and a sentence that says what is wrong there, and what to write.

    Jinja2 notices a condition without its end only where the template ends; we name where it begins.
    """
    said = error.message or ""
    unknown = re.search(r"unknown tag '(.+?)'", said)
    is_open = "innermost block" in said and (unknown is None or unknown[1] in _ENDS.values())
    if is_open and (begun := _left_open(grammar, source)) is not None:
        line, tag = begun
        return line, f"{{% {tag} … %}} begins here and never ends; write {{% {_ENDS[tag]} %}} where it is to end"
    for pattern, sentence in _SAYINGS:
        if (found := re.search(pattern, said, re.DOTALL)) is not None:
            return error.lineno, sentence.replace("<>", found[1] if found.re.groups > 0 else "")
    return error.lineno, f"cannot be read: {said}"


def _left_open(grammar: Environment, source: str) -> tuple[int, str] | None:
    """Line and name of the innermost `if` or `for` without its end, None where there is none or it cannot be told."""
    open_tags: list[tuple[int, str]] = []
    is_first = False
    try:
        for line, kind, value in grammar.lex(source):
            if is_first and kind == "name":
                if value in _ENDS:
                    open_tags.append((line, value))
                elif len(open_tags) > 0 and value == _ENDS[open_tags[-1][1]]:
                    open_tags.pop()
                elif value in _ENDS.values():
                    return open_tags[-1] if len(open_tags) > 0 else None
            is_first = kind == "block_begin" or (is_first and kind == "whitespace")
    except TemplateSyntaxError:
        return None
    return open_tags[-1] if len(open_tags) > 0 else None
