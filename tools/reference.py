"""Writes docs/reference from the code: commands, rules, coverage, settings, effects, libraries, handbook, switches, metrics.

python tools/reference.py           write the pages, remove those that no longer belong
python tools/reference.py --check   write nothing; exit status 1 and the list of stale pages if there are any
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from evenkeel.audit.arguments import add_commands
from evenkeel.audit.effects import loading
from evenkeel.audit.effects.catalogue import Catalogue
from evenkeel.audit.effects.reading import read_catalogue
from evenkeel.audit.model import effects, settings
from evenkeel.audit.model.finding import CATEGORIES
from evenkeel.audit.model.rule import Rule
from evenkeel.audit.rules import all_rules
from evenkeel.prove.arguments import add_commands as add_prove
from evenkeel.serve.commands import add_commands as add_serve

sys.path[:0] = [str(Path(__file__).parents[1])]
from tools.reference_server import SECOND_ACT  # noqa: E402

ROOT = Path(__file__).parents[1]
AUDIT = ROOT / "src" / "evenkeel" / "audit"
TARGET = ROOT / "docs" / "reference"
NOTE = "<!-- Written by tools/reference.py from the code: change the code, then run `make docs`. -->\n"
CATEGORY_TITLES = {slug: title for slug, title, _ in CATEGORIES}

Pages = Iterator[tuple[str, str]]  # path below docs/reference, Markdown


def languages() -> dict[str, Catalogue]:
    """The languages that have a front end, each with everything its catalogues know."""
    names = sorted(path.name for path in (AUDIT / "source").iterdir() if (path / "effects").is_dir())
    return {name: loading.parse_files(loading.catalogue_files(name)) for name in names}


def emitted(catalogue: Catalogue) -> set[str]:
    """The kinds of effects that the calls, types and attributes of a language's catalogues can have."""
    texts: list[str] = []
    for call in catalogue.calls.values():
        texts += [*call.effects, *call.adds, *(["db-read", "db-write"] if call.statement >= 0 else [])]
    for kind in catalogue.types.values():
        texts += [*kind.enter_effects, *kind.exit_effects, *kind.iterate_effects, *kind.statement_effects]
    for attribute in catalogue.attributes.values():
        texts += attribute.effects
    return {text.partition(":")[0] for text in texts}


def serves(rule: Rule, kinds: set[str]) -> bool:
    """Whether a rule can find anything in a language whose front end emits these kinds of effects."""
    return not rule.needs or bool(rule.needs & kinds)


def rule_pages() -> Pages:
    """One page a rule, and the table of all of them."""
    known = {name: emitted(catalogue) for name, catalogue in languages().items()}
    rules = all_rules()
    for rule in rules:
        served = [name for name, kinds in known.items() if serves(rule, kinds)]
        yield f"rules/{rule.slug}.md", rule_page(rule, served)
    yield "rules/README.md", rule_table(rules, known)


def rule_page(rule: Rule, served: Iterable[str]) -> str:
    """A rule's docstring as a page; the executed examples get a heading each."""
    _, _, body = rule.page.strip().partition("\n")
    body = re.sub(r"^```(\w+) flags$", r"Flagged:\n\n```\1", body.strip(), flags=re.MULTILINE)
    body = re.sub(r"^```(\w+) passes$", r"Not flagged:\n\n```\1", body, flags=re.MULTILINE)
    facts = [f"`{rule.slug}`", CATEGORY_TITLES[rule.category], f"starts at {rule.severity}", ", ".join(served).title()]
    return f"# {rule.title}\n\n{' · '.join(facts)}\n\n{body}\n"


def rule_table(rules: Iterable[Rule], known: dict[str, set[str]]) -> str:
    """The coverage matrix: computed from what a rule needs and what a front end emits."""
    lines = ["# Rules", "", "A cross says that the rule works on code of that language.", ""]
    for slug, title, priority in CATEGORIES:
        rows = [
            [f"[`{rule.slug}`]({rule.slug}.md)", rule.title, rule.severity, *crosses(rule, known)]
            for rule in rules
            if rule.category == slug
        ]
        heading = ["Rule", "Fault", "Starts at", *(name.title() for name in known)]
        lines += [f"## {title} (priority {priority})", "", *table(heading, rows), ""]
    return "\n".join(lines)


def crosses(rule: Rule, known: dict[str, set[str]]) -> list[str]:
    """One cell a language."""
    return ["×" if serves(rule, kinds) else "" for kinds in known.values()]


def table(heading: list[str], rows: Iterable[list[str]]) -> list[str]:
    """A Markdown table."""
    cells = [heading, ["---"] * len(heading), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in cells]


def effect_page() -> Pages:
    """The kinds of effects with their meaning, read from the comments beside them."""
    source = Path(str(effects.__file__)).read_text(encoding="utf-8")
    literal = source[source.index("EffectKind = Literal[") : source.index("\n]\n")]
    found = re.findall(r'^    "([a-z-]+)",(?:  # (.*))?$', literal, re.MULTILINE)
    rows = [[f"`{kind}`", meaning] for kind, meaning in found]
    text = "What a call does, whatever the library. Catalogues give calls these effects; rules speak of them alone."
    yield "effects.md", "\n".join(["# Effects", "", text, "", *table(["Effect", "Meaning"], rows), ""])


def catalogue_page() -> Pages:
    """The libraries that are known, by language, with the pages their facts come from."""
    lines = ["# Libraries whose calls are known", ""]
    for language in languages():
        lines += [f"## {language.title()}", ""]
        for file in loading.catalogue_files(language):
            lines += library(read_catalogue(read(file), file.name))
    yield "libraries.md", "\n".join(lines)


def library(catalogue: Catalogue) -> list[str]:
    """One catalogue: what it covers, how much of it, and the pages its facts come from."""
    counts = f"{len(catalogue.calls)} calls, {len(catalogue.types)} types."
    return [f"### {catalogue.library}", "", counts, "", *(f"- <{url}>" for url in catalogue.source), ""]


def technology_page() -> Pages:
    """What discovery recognises, by role."""
    by_role: dict[str, list[str]] = {}
    for name, entry in read(AUDIT / "discovery" / "technologies.toml").items():
        by_role.setdefault(entry["role"], []).append(name)
    rows = [[role, ", ".join(sorted(names))] for role, names in sorted(by_role.items())]
    text = (
        "Found in manifests, imports, compose files, configuration and documents. `evenkeel discover PATH` prints them."
    )
    yield "technologies.md", "\n".join(["# Technologies", "", text, "", *table(["Role", "Technologies"], rows), ""])


def handbook_page() -> Pages:
    """What the research phase answers when no provider is asked."""
    lines = [
        "# Handbook",
        "",
        "Best practices that ship with evenkeel, each with the official page that says so.",
        "",
    ]
    for file in sorted((AUDIT / "research" / "handbook").glob("*.toml")):
        entry = read(file)
        advice = [f"- {each['text']} ([{each['title']}]({each['url']}))" for each in entry["advice"]]
        lines += [f"## {entry['title']}", "", *advice, ""]
    yield "handbook.md", "\n".join(lines)


def command_page() -> Pages:
    """Every command with its options, from the parsers."""
    commands = argparse.ArgumentParser().add_subparsers()
    for add in (add_commands, add_serve, add_prove):
        add(commands)
    summaries = {action.dest: action.help or "" for action in commands._choices_actions}
    lines = ["# Commands", ""]
    for name, parser in commands.choices.items():
        shown = (action for action in parser._actions if action.help != argparse.SUPPRESS and action.dest != "help")
        rows = [[option(action), action.help or ""] for action in shown]
        about = sentence(summaries[name])
        lines += [f"## evenkeel {name}", "", about, "", *table(["Option", "Meaning"], rows), ""]
    yield "commands.md", "\n".join(lines)


def option(action: argparse.Action) -> str:
    """An option as it is typed."""
    name = ", ".join(action.option_strings) or str(action.metavar)
    value = "|".join(action.choices) if action.choices else action.metavar if action.option_strings else None
    return f"`{name} {value}`" if value and action.nargs != 0 else f"`{name}`"


def sentence(text: str) -> str:
    """A help text as a sentence."""
    return f"{text[:1].upper()}{text[1:]}."


def settings_page() -> Pages:
    """The keys of `[tool.evenkeel]`, read from the structs that check them and the comments beside their fields."""
    text = "In `[tool.evenkeel]` of the audited project's pyproject.toml, or in its evenkeel.toml."
    blocks = ["# Settings", "", text, "", *setting_table(settings.AuditSettings), ""]
    for title, shape in SETTING_TABLES.items():
        about = " ".join((shape.__doc__ or "").split())
        blocks += [f"## `[tool.evenkeel.{title}]`", "", about, "", *setting_table(shape), ""]
    yield "settings.md", "\n".join(blocks)


SETTING_TABLES: dict[str, type[msgspec.Struct]] = {
    "research": settings.ResearchSettings,
    "research.servers.NAME": settings.ServerSettings,
    "tracker": settings.TrackerSettings,
}


def setting_table(shape: type[msgspec.Struct]) -> list[str]:
    """Key, default and meaning of every field."""
    source = Path(str(settings.__file__)).read_text(encoding="utf-8").partition(f"\nclass {shape.__name__}(")[2]
    comments = dict(re.findall(r"^    (\w+): [^#\n]*# (.*)$", source.partition("\nclass ")[0], re.MULTILINE))
    rows = [
        [f"`{field.encode_name}`", default(field), comments.get(field.name, "")]
        for field in msgspec.structs.fields(shape)
    ]
    return table(["Key", "Default", "Meaning"], rows)


def default(field: msgspec.structs.FieldInfo) -> str:
    """A field's default as TOML readers write it; nothing for a table of its own."""
    value = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
    if value is None or isinstance(value, msgspec.Struct):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{list(value) if isinstance(value, tuple) else value}`" if value != "" else ""


def read(file: Path) -> dict[str, Any]:
    """A TOML file."""
    return tomllib.loads(file.read_text(encoding="utf-8"))


SECTIONS: tuple[Callable[[], Pages], ...] = (
    command_page,
    rule_pages,
    settings_page,
    effect_page,
    catalogue_page,
    technology_page,
    handbook_page,
    *SECOND_ACT,
)


def index(pages: dict[str, str]) -> str:
    """The first page: every other page but those of single rules."""
    links = [
        f"- [{text.splitlines()[0].removeprefix('# ')}]({path})"
        for path, text in pages.items()
        if "/" not in path or path.endswith("README.md")
    ]
    return "\n".join(["# Reference", "", "Written from the code.", "", *links, ""])


def generate() -> dict[str, str]:
    """Every page by its path below docs/reference."""
    pages = {path: text for section in SECTIONS for path, text in section()}
    pages["README.md"] = index(pages)
    return {path: NOTE + "\n" + text for path, text in pages.items()}


def stale(pages: dict[str, str]) -> list[str]:
    """Pages that are missing, differ, or no longer belong."""
    found = {path.relative_to(TARGET).as_posix(): path.read_text(encoding="utf-8") for path in TARGET.rglob("*.md")}
    return sorted(path for path in pages.keys() | found.keys() if pages.get(path) != found.get(path))


def write(pages: dict[str, str]) -> None:
    """Bring docs/reference to the generated state."""
    for path in stale(pages):
        target = TARGET / path
        if path in pages:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(pages[path], encoding="utf-8")
        else:
            target.unlink()


def main(arguments: list[str]) -> int:
    """Write, or check."""
    pages = generate()
    if "--check" not in arguments:
        write(pages)
        return 0
    old = stale(pages)
    for path in old:
        print(f"docs/reference/{path} is stale")
    if old:
        print("Run `make docs` and commit what it writes.")
    return 1 if old else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
