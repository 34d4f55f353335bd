"""A text that is no TOML and tomllib's message in, the line and a sentence for somebody who does not program out."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

CURLY = "“”„‟«»‘’‚‛"
_AT = re.compile(r" ?\((?:at line (\d+), column (\d+)|at end of document)\)")
_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"""|\'\'\'.*?\'\'\'|"""|\'\'\'|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|#[^\n]*|[\[\]{}"\']', re.DOTALL
)
"""A text in any quotes, an opening quote without its end, a remark, a bracket."""
_HEADER = re.compile(r"^\s*\[")
_SET = re.compile(r"^\s*([\w.\s\"'-]+?)\s*=")
_CALLED_TRUE = {"yes": "true", "on": "true", "ja": "true", "oui": "true", "sí": "true", "true": "true"}
_CALLED_FALSE = {"no": "false", "off": "false", "nein": "false", "non": "false", "false": "false"}
_TABLES = "when|unless|then|gives|not"
MAX_SHOWN = 40


@dataclass(frozen=True, slots=True)
class _Fault:
    """Where tomllib stopped. line, column: from 1. said: its words without the place."""

    text: str
    said: str
    line: int
    column: int

    @property
    def source(self) -> str:
        """The line."""
        return self.text.split("\n")[self.line - 1]

    @property
    def before(self) -> str:
        """The line up to where it stopped."""
        return self.source[: self.column - 1]

    @property
    def rest(self) -> str:
        """The line from there on."""
        return self.source[self.column - 1 :].strip()

    @property
    def offset(self) -> int:
        """Characters of the text before it."""
        return sum(len(line) + 1 for line in self.text.split("\n")[: self.line - 1]) + self.column - 1


def explained(text: str, message: str) -> tuple[int, str]:
    """The line (from 1) and what is wrong there, of a text that tomllib refused with this message."""
    fault = _fault(text, message)
    for begin, explain in _SENTENCES:
        if fault.said.startswith(begin):
            return explain(fault)
    return fault.line, f"cannot be read ({fault.said.lower()}); compare the line with one that works"


def _fault(text: str, message: str) -> _Fault:
    found = _AT.search(message)
    said = message[: found.start()] if found is not None else message
    if found is not None and found[1]:
        return _Fault(text, said, int(found[1]), int(found[2]))
    lines = text.rstrip().split("\n")
    return _Fault(text, said, len(lines), len(lines[-1]) + 1)


def _opened(text: str, end: int) -> tuple[str, int]:
    """What is opened last before `end` and not closed, a bracket or a quote, and its line; or `""`, 0."""
    stack: list[tuple[str, int]] = []
    for token in _TOKEN.finditer(text):
        if token.start() >= end:
            break
        if token[0] in ('"""', "'''", '"', "'"):
            return token[0], _line(text, token.start())
        if token[0] in ("[", "{"):
            stack.append((token[0], _line(text, token.start())))
        elif token[0] in ("]", "}") and len(stack) > 0:
            stack.pop()
    return stack[-1] if len(stack) > 0 else ("", 0)


def _line(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1


def _short(words: str) -> str:
    words = words.strip()
    return words if len(words) <= MAX_SHOWN else words[: MAX_SHOWN - 1].rstrip() + "…"


# --- texts and their quotes -------------------------------------------------------------------------------------


def _open_text(fault: _Fault) -> tuple[int, str]:
    """A text without its end on the line, or without its three quotes."""
    opened, line = _opened(fault.text, len(fault.text))
    if opened in ('"""', "'''"):
        return line, f"the long text that begins here with {opened} has no end; add {opened} behind its last word"
    if opened not in ('"', "'"):
        opened, line = '"', fault.line
    source = fault.text.split("\n")[line - 1]
    if any(sign in source for sign in CURLY):
        return (
            line,
            f"a text begins with {opened} and ends with a curly quote, as Word makes them; end it with {opened}",
        )
    return line, f"a text has no closing quote; add {opened} behind its last word"


def _sign_in_text(fault: _Fault) -> tuple[int, str]:
    if "'\\n'" in fault.said:
        return _open_text(fault)
    return fault.line, "holds a character that cannot be seen; type the line anew"


def _backslash(fault: _Fault) -> tuple[int, str]:
    key = _SET.match(fault.source)
    if key is not None and "pattern" in key[1]:
        return fault.line, "a \\ in \"double quotes\" stands for a special sign; put the pattern in 'single quotes'"
    return (
        fault.line,
        "a \\ in \"double quotes\" stands for a special sign; write \\\\ for one \\, or take 'single quotes'",
    )


def _no_value(fault: _Fault) -> tuple[int, str]:
    key, value = _SET.match(fault.source), fault.rest
    name = " ".join(key[1].split()) if key is not None else "this key"
    word = re.split(r"[\s#,}\]]", value, maxsplit=1)[0]
    if value == "" or value.startswith("#"):
        if fault.column <= len(fault.source.rstrip()) or key is not None:
            return fault.line, f"there is nothing behind the = of '{name}'; write its value on the same line"
        return fault.line, "there is nothing behind the ="
    if _opened(fault.text, fault.offset)[0] == "[" and (named := _in_list(fault)) is not None:
        return named
    if value[0] in CURLY:
        word = re.split(f"(?<=.)[{CURLY}]", value, maxsplit=1)[0] + value[0]
        return (
            fault.line,
            f'{_short(value[: len(word)])} stands in curly quotes, as Word makes them; use straight ones: "…"',
        )
    if value[0] == "=":
        return fault.line, f"'{name}' has two =; one is enough"
    if word.lower() in _CALLED_TRUE | _CALLED_FALSE:
        right = (_CALLED_TRUE | _CALLED_FALSE)[word.lower()]
        return fault.line, f"'{word}' is not known; write {right}, in small letters and without quotes"
    if re.match(r"[.,]\d", value):
        return fault.line, f"write the number with a 0 in front: 0.{re.sub(r'[^0-9].*', '', value[1:])}"
    if value[0] in ">=<":
        return fault.line, f'put it in quotes: "{_short(value)}"'
    if value[0] in "(@*":
        return fault.line, f'{_short(value)} needs "quotes"; several texts stand in [ ]: ["one", "two"]'
    return fault.line, f'a text needs quotes: {name} = "{_short(re.split(r"#", value)[0])}"'


def _after_value(fault: _Fault) -> tuple[int, str]:
    """Something stands behind a value or a header that is whole."""
    rest, before = fault.rest, fault.before.rstrip()
    if _HEADER.match(fault.source) and "=" not in before:
        return fault.line, f"'{_short(rest)}' stands behind {before.strip()}; put it on a line of its own"
    if re.match(r",\s*\d", rest) and re.search(r"\d$", before):
        return fault.line, "a number is written with a point, not with a comma: 0.7"
    if rest.startswith("%"):
        return fault.line, "a share is written as a number from 0 to 1: 0.7, not 70%"
    if re.search(r"\d\d$", before) and re.match(r"[.\-/]\d", rest):
        return fault.line, "a day is written year first, with two digits for month and day: 2026-12-31"
    if rest.startswith(";"):
        return fault.line, "take out the ; at the end of the line"
    if rest.startswith(",") and re.search(r"[\"']$", before) and len(rest) > 1:
        return fault.line, 'several texts stand in [ ]: ["one", "two"]'
    if rest.startswith(","):
        return fault.line, "take out the comma at the end of the line"
    if before.endswith("'") and rest[:1].isalpha():
        return fault.line, "an apostrophe ends a text in 'single quotes'; take \"double quotes\" around it"
    if before.endswith('"'):
        return fault.line, (
            f'behind the text stands {_short(rest)}; a quote within a text is written \\", several texts stand in [ ]'
        )
    return (
        fault.line,
        f"'{_short(rest)}' stands behind the value; put it on a line of its own, or # in front of a remark",
    )


# --- lists and { } ----------------------------------------------------------------------------------------------


def _open_list(fault: _Fault) -> tuple[int, str]:
    _, line = _opened(fault.text, fault.offset)
    line = line or fault.line
    before = fault.text[: fault.offset].rstrip()
    if fault.rest[:1] in CURLY and fault.rest != "":
        return fault.line, 'a text in the list stands in curly quotes, as Word makes them; use straight ones: "…"'
    if before.endswith("'") and fault.rest[:1].isalpha():
        return fault.line, "an apostrophe ends a text in 'single quotes'; take \"double quotes\" around it"
    if fault.rest[:1] in ('"', "'") and fault.rest != "":
        last = _line(fault.text, len(before))
        return last, "a comma is missing between two texts of the list"
    if fault.source.count('"') % 2 == 1 and '"' in fault.before:
        return fault.line, 'a quote is missing: each text of a list stands in "quotes", with a comma behind it'
    if fault.rest != "" and _SET.match(fault.source) is None:
        return fault.line, f"'{_short(fault.rest)}' stands in the list without quotes or without a comma before it"
    return line, "the list that begins here with [ has no end; add ] behind its last text"


def _in_list(fault: _Fault) -> tuple[int, str] | None:
    """What stands in a list in the place of a text: the line behind the list, or a text without its first quote."""
    if fault.before.strip() == "" and (_SET.match(fault.source) or _HEADER.match(fault.source)):
        return _open_list(fault)
    words = re.match(r"([^\"',\]]+)([\"'])", fault.rest)
    if words is not None and fault.rest[0] not in CURLY:
        return fault.line, f"'{_short(words[1])}' has no opening quote; put {words[2]} in front of it"
    return None


def _open_table(fault: _Fault) -> tuple[int, str]:
    if fault.rest.startswith("%"):
        return fault.line, "a share is written as a number from 0 to 1: 0.7, not 70%"
    if fault.rest == "":
        return fault.line, "the { has no }; add it at the end, on the same line"
    return (
        fault.line,
        f"'{_short(fault.rest)}' does not belong there; within {{ }} stand pairs: {{ complaint = 0.7, request = 0.5 }}",
    )


def _pair_twice(fault: _Fault) -> tuple[int, str]:
    name = fault.said.removeprefix("Duplicate inline table key ")
    return fault.line, f"{name} stands twice within the {{ }}; keep one of them"


# --- keys and headers -------------------------------------------------------------------------------------------


def _no_equals(fault: _Fault) -> tuple[int, str]:
    source = fault.source.strip()
    if "{" in fault.before and re.search(r"\d,\s*\d+$", fault.before.rstrip()):
        return fault.line, "a number is written with a point, not with a comma: 0.7"
    if (found := re.match(rf"({_TABLES})\s+([\w.]+)\s*=?", source)) is not None:
        return fault.line, f"between {found[1]} and {found[2]} stands a point, not a blank: {found[1]}.{found[2]} = …"
    if fault.rest.startswith(":"):
        return fault.line, f"behind a name stands =, not a colon: {fault.before.strip()} = …"
    if re.match(r"[-*]\s", source):
        return fault.line, "a line cannot begin with - or *; a rule begins with [[rule]], a remark with #"
    if re.match(r"[\w.-]+\s*[\"'\[{\d“„]", source):
        name = re.split(r"[\s\"'\[{“„]", source, maxsplit=1)[0]
        return fault.line, f"the = is missing: {name} = …"
    if re.match(r"[A-Za-z]+[^\x00-\x7f]", source):
        name = re.split(r"[\s=]", source, maxsplit=1)[0]
        return fault.line, f"'{_short(name)}' cannot be a name here; names have only the letters a to z"
    return fault.line, (
        f"'{_short(source)}' says nothing: the = is missing. A remark begins with #, "
        'and a text of several lines stands in """three quotes"""'
    )


def _no_statement(fault: _Fault) -> tuple[int, str]:
    sign = fault.rest[:1]
    if sign in CURLY:
        return fault.line, 'a curly quote, as Word makes them, begins this line; use straight ones: "…"'
    if sign == "]":
        return fault.line, "a ] without its [; the list above was closed already, or its [ is missing"
    if sign == "=":
        return fault.line, "there is no name in front of the ="
    return fault.line, f"this line begins with '{sign}', which means nothing here; a remark begins with #"


def _no_key(fault: _Fault) -> tuple[int, str]:
    before = fault.before.rstrip()
    if before.endswith(",") and fault.rest.startswith("}"):
        return fault.line, "take out the comma in front of the }"
    if fault.rest == "" and "{" in before:
        return fault.line, "what stands within { } stands on one line; bring it together"
    if _HEADER.match(fault.source):
        return fault.line, "the brackets are empty; a rule begins with [[rule]]"
    return fault.line, f"a name is missing or cannot be read at '{_short(fault.rest or before)}'"


def _header(fault: _Fault) -> tuple[int, str]:
    source = fault.source.strip()
    if "rule" not in source.lower():
        return fault.line, f"'{_short(source)}' is not closed, or a name has a blank in it; write for example [firm]"
    example = "[[rule.example]]" if "example" in source else "[[rule]]"
    return fault.line, f"write {example}, with two brackets on each side and nothing else within"


def _table_twice(fault: _Fault) -> tuple[int, str]:
    source = fault.source.strip()
    name = ".".join(re.findall(r"'([^']*)'", fault.said))
    if name == "rule":
        return fault.line, "a rule begins with [[rule]], with two brackets on each side"
    if name.startswith("rule."):
        return (
            fault.line,
            f"'{source}' is set already in this rule; write its keys as {name.removeprefix('rule.')}.… = …",
        )
    return fault.line, f"'{source}' is there twice in this file; put its lines together under one"


def _overwritten(fault: _Fault) -> tuple[int, str]:
    if _HEADER.match(fault.source):
        return _before_header(fault)
    found = _SET.match(fault.source)
    name = "".join(found[1].split()) if found is not None else "a key"
    where, what = _begun(fault)
    first = _first_set(fault, name, where)
    if first > 0:
        return fault.line, f"'{name}' is set twice in this {what}, first in line {first}; {_put_together(fault, name)}"
    head = name.split(".")[0]
    return fault.line, (f"'{head}' is used in two ways in this {what}; write each as {head}.… = … on a line of its own")


def _before_header(fault: _Fault) -> tuple[int, str]:
    """A header whose name was used otherwise above."""
    for number, line in enumerate(fault.text.split("\n")[: fault.line - 1], start=1):
        plain = "".join(line.split())
        if re.match(r"\[rule\b", plain):
            return number, "a rule begins with [[rule]], with two brackets on each side"
        if plain.startswith("[[rule.example]]"):
            return number, "an example stands below its rule; above this one there is no line [[rule]]"
        if re.match(r"rule\b.*=", plain):
            return number, "a rule begins with a line [[rule]]; below it stand name = …, when.… = …, then.… = …"
        if plain.startswith("[[rule]]"):
            break
    return fault.line, f"what {fault.source.strip()} means is set already above; a rule begins with a line [[rule]]"


def _put_together(fault: _Fault, name: str) -> str:
    if name.split(".")[0] in ("when", "unless"):
        return 'put the values into one list: ["one", "two"]'
    if name == "name":
        return "is a line [[rule]] missing above it?"
    if name.split(".")[0] in ("mail", "subject", "gives"):
        return "is a line [[rule.example]] missing above it?"
    return "keep one of them"


def _begun(fault: _Fault) -> tuple[int, str]:
    """The line of the header above, and what it begins."""
    lines = fault.text.split("\n")[: fault.line - 1]
    for number in range(len(lines), 0, -1):
        if _HEADER.match(lines[number - 1]):
            return number, "example" if "example" in lines[number - 1] else "rule" if "rule" in lines[
                number - 1
            ] else "table"
    return 0, "file"


def _first_set(fault: _Fault, name: str, after: int) -> int:
    """The line above that sets the same key, 0 when none does."""
    for number, line in enumerate(fault.text.split("\n")[after : fault.line - 1], start=after + 1):
        found = _SET.match(line)
        if found is not None and "".join(found[1].split()) == name:
            return number
    return 0


def _whole_table(fault: _Fault) -> tuple[int, str]:
    names = re.findall(r"'([^']*)'", fault.said)
    name = names[-1] if len(names) > 0 else "it"
    return (
        fault.line,
        f"'{name}' was given whole with {{ }} above; put this into the {{ }}, or write each as {name}.… = …",
    )


def _day(fault: _Fault) -> tuple[int, str]:
    return fault.line, "there is no such day or time; write for example 2026-12-31"


_SENTENCES: tuple[tuple[str, Callable[[_Fault], tuple[int, str]]], ...] = (
    ("Illegal character", _sign_in_text),
    ("Found invalid character", _sign_in_text),
    ("Unterminated string", _open_text),
    ("Expected \"'", _open_text),
    ("Unescaped", _backslash),
    ("Invalid hex value", _backslash),
    ("Escaped character", _backslash),
    ("Invalid value", _no_value),
    ("Expected newline", _after_value),
    ("Unclosed array", _open_list),
    ("Unclosed inline table", _open_table),
    ("Duplicate inline table key", _pair_twice),
    ("Expected '=' after", _no_equals),
    ("Invalid statement", _no_statement),
    ("Invalid initial character", _no_key),
    ("Expected ']", _header),
    ("Cannot declare", _table_twice),
    ("Cannot overwrite", _overwritten),
    ("Cannot mutate", _whole_table),
    ("Cannot redefine", _whole_table),
    ("Invalid date", _day),
)
"""How tomllib's messages begin (Python 3.11 to 3.14), in the order of its source."""
