"""A name in, the file or folder that comes with triaged out; a folder in, a site of one's own laid out in it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

_PACKAGE = Path(__file__).parent
STARTER_RULES = _PACKAGE / "rules" / "starter"
EXAMPLES = _PACKAGE / "classify" / "examples"
DEMO = _PACKAGE / "demo"
CHECKOUT_RULES = (
    'rules_dir = "triaged/rules/starter"   # *.toml, edited by coordinators; `triaged init` makes it "rules"'
)
SITE_RULES = 'rules_dir = "rules"                  # *.toml, edited by coordinators'
"""As config.toml has it, so that the checkout itself is a working site; a site of its own has its rules in `rules`."""


def shipped(name: str) -> Path:
    """`config.toml`, `templates` or `deploy`."""
    installed = _PACKAGE / "shipped" / name
    return installed if installed.exists() else _PACKAGE.parent / name


def lay_out(folder: Path, *, state_dir: str = "state") -> tuple[Path, ...]:
    """Lay a site's own config.toml, rules/ and templates/ into `folder`; returns what was made.

    state_dir: where the log is to lie, as config.toml will say. What is there already stays. Raises: OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    config = folder / "config.toml"
    if not config.exists():
        text = shipped("config.toml").read_text(encoding="utf-8")
        config.write_text(
            text.replace(CHECKOUT_RULES, SITE_RULES).replace(
                'state_dir = "state"', f"state_dir = {json.dumps(state_dir)}"
            ),
            encoding="utf-8",
        )
        made.append(config)
    for source, target in ((STARTER_RULES, folder / "rules"), (shipped("templates"), folder / "templates")):
        if not target.exists():
            shutil.copytree(source, target)
            made.append(target)
    return tuple(made)
