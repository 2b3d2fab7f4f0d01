"""The form above the findings of the page: words, category, severities, hot path."""

from __future__ import annotations

from evenkeel.audit.model.finding import SEVERITIES, Severity
from evenkeel.audit.model.result import AuditResult
from evenkeel.audit.report.html_text import escaped
from evenkeel.audit.wording import Wording


def controls(result: AuditResult, say: Wording) -> str:
    """The form that filters; it is shown only where the script runs, and the words that the script says stand in it."""

    def word(text: str) -> str:
        return escaped(say(text))

    boxes = "".join(
        f'<label><input type="checkbox" name="severity" value="{each.lower()}" checked> '
        f"{escaped(_named(each, say))} ({result.counts.of(each):,})</label>"
        for each in SEVERITIES
        if result.counts.of(each)
    )
    options = "".join(
        f'<option value="{escaped(each.worker)}">{escaped(each.category)}</option>'
        for each in result.categories
        if each.findings
    )
    return (
        f'<div class="controls" id="controls" hidden role="search" aria-label="{word("Filter the findings")}">'
        f'<label class="field" for="words">{word("Words")}<input type="search" id="words" autocomplete="off" '
        f'placeholder="{word("file, rule, function")}"></label>'
        f'<label class="field" for="category">{word("Category")}<select id="category"><option value="">{word("All")}'
        f"</option>{options}</select></label>"
        f"<fieldset><legend>{word('Severity')}</legend>{boxes}</fieldset>"
        f'<fieldset><legend>{word("Place")}</legend><label><input type="checkbox" id="hot"> {word("Hot path only")}'
        f'</label></fieldset><button type="button" id="open">{word("Open or close all")}</button>'
        f'<span id="shown" class="quiet" role="status" data-one="{word("%all finding")}" '
        f'data-all="{word("%all findings")}" data-some="{word("%shown of %all findings")}"></span></div>'
    )


def _named(severity: Severity, say: Wording) -> str:
    return severity.title() if say.language == "en" else say(severity)
