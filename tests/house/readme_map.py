"""The rooms' own first sentences in, the README's map out. `python -m tests.house.readme_map` writes it."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
BEGIN, END = "<!-- map: made by `make fmt` from the modules' first sentences -->", "<!-- end of map -->"
ORDER = (
    "model", "errors", "ports", "decide", "playbook", "plan", "examples", "mail", "classify", "rules", "accounts",
    "calls", "clocks", "log", "backends", "worker", "demo", "config", "wire", "cli", "terminal", "views", "trial",
    "learning", "shipped", "tomlfile",
)  # fmt: skip


def rooms() -> dict[str, Path]:
    """Every module and package right under triaged/, by name."""
    package = ROOT / "triaged"
    files = {path.stem: path for path in package.glob("*.py") if not path.stem.startswith("__")}
    return files | {path.parent.name: path for path in package.glob("*/__init__.py")}


def sentence(path: Path) -> str:
    """A module's first sentence."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(text.split("\n\n")[0].split()).rstrip(".")


def room_map() -> str:
    """The map as the README holds it."""
    known = rooms()
    lines = []
    for name in (*ORDER, *sorted(known.keys() - set(ORDER))):
        path = known[name]
        shown = f"triaged/{name}/" if path.name == "__init__.py" else f"triaged/{name}.py"
        lines.append(f"| `{shown}` | {sentence(path).replace('|', '/')} |")
    return "\n".join([BEGIN, "", "| room | what goes in, what comes out |", "|---|---|", *lines, "", END])


def main() -> None:
    """Put the map into the README."""
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    readme.write_text(before + room_map() + rest.split(END)[1], encoding="utf-8")


if __name__ == "__main__":
    main()
