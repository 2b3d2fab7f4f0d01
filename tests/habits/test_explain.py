"""`evenkeel explain FILE:LINE`: why a line was reported, why it was not, and what cannot be asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.habits.conftest import Run, change

PULL = "app/jobs.py"


def test_a_reported_line_says_by_what_way(evenkeel: Run, tree: Path) -> None:
    result = evenkeel("explain", f"{PULL}:14")
    assert (result.returncode, result.stderr) == (0, "")
    text = result.stdout
    assert text.startswith("app/jobs.py:14\n          return [fetch(url) for url in urls]\n\nFindings\n")
    for words in (
        "  HIGH blocking-io-in-async: reported, definite\n"
        if "HIGH blocking" in text
        else "blocking-io-in-async: reported",
        "    app/jobs.py:14 Worker.run\n    app/jobs.py:18 fetch\n",
        "  in async function Worker.run, in a file that is code\n",
        "  on no hot path: no handler, consumer or stream reaches it\n",
        "  speaks for it: batch: file under app/jobs.py\n",
        "  fetch\n    is app.jobs.fetch (app/jobs.py:17)\n    does network: http (blocks the thread)\n",
        "  blocking-io-in-async: found it (definite)\n",
        "sync-sleep-in-async: no call of this line reaches sleep\n",
        "nothing in this file reaches db-count\n",
    ):
        assert words in text


def test_a_line_on_the_way_of_a_finding(evenkeel: Run) -> None:
    text = evenkeel("explain", f"{PULL}:18").stdout
    assert "blocking-io-in-async at app/jobs.py:14, whose way leads through here: reported" in text
    assert "    is library requests.get\n" in text


def test_a_line_without_anything(evenkeel: Run) -> None:
    text = evenkeel("explain", f"{PULL}:2:7").stdout
    assert "Findings\n  none on this line\n" in text
    assert "Calls\n  none on this line\n" in text
    assert "the module's own code" in text


def test_what_became_of_a_finding(evenkeel: Run, tree: Path) -> None:
    change(tree / PULL, "time.sleep(1)", "time.sleep(1)  # evenkeel: ignore[sync-sleep-in-async] on purpose")
    text = evenkeel("explain", f"{PULL}:8").stdout
    assert "sync-sleep-in-async: suppressed by comment at app/jobs.py:8: on purpose\n" in text
    (tree / "evenkeel.toml").write_text('baseline = "b.json"\nignore = ["unbounded-map"]\n')
    evenkeel("baseline", "create")
    text = evenkeel("explain", f"{PULL}:9").stdout
    assert "blocking-io-in-async: known from the baseline b.json\n" in text
    assert "  unbounded-map: the settings leave this rule out\n" in text


def test_from_another_folder(evenkeel: Run, tree: Path) -> None:
    outside = evenkeel("explain", "../pyproject.toml:1", cwd=tree / "app")
    assert outside.returncode == 2
    assert "does not lie in" in outside.stderr
    assert "Give the audited folder with --root PATH." in outside.stderr
    inside = evenkeel("explain", "jobs.py:8", "--root", "..", cwd=tree / "app")
    assert inside.stdout.startswith("app/jobs.py:8\n")


def test_a_file_that_is_not_judged_says_so(evenkeel: Run, tree: Path) -> None:
    (tree / "tests").mkdir()
    (tree / "tests/test_a.py").write_text("import time\n")
    (tree / "notes.md").write_text("words\n")
    assert (
        "Not looked at: its file is a test, and tests are never judged."
        in evenkeel("explain", "tests/test_a.py:1").stdout
    )
    assert "Not looked at: its file is not audited" in evenkeel("explain", "notes.md:1").stdout


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("app/jobs.py", "is not FILE:LINE. Give a file and a line number"),
        ("app/none.py:1", "is no file. Give it as it is found"),
        ("app/jobs.py:999", "there is no line 999"),
        ("app/jobs.py:0", "there is no line 0"),
    ],
)
def test_places_that_are_none(evenkeel: Run, place: str, words: str) -> None:
    result = evenkeel("explain", place)
    assert (result.returncode, result.stdout) == (2, "")
    assert words in result.stderr
