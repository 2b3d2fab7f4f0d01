"""More rows or columns than are used

Whole entities are loaded for two or three of their columns, every row is loaded to count, to take the first, to add
up or to filter in Python what a WHERE clause could have kept in the database.

**Why it costs.** Rows and columns that nobody uses are read from disk, sent, parsed and made into objects all the
same, and memory grows with the table instead of with the answer. Django's manual puts it first among its advice:
"do database work in the database rather than in Python", `count()` instead of `len(queryset)`, `values_list()`
where objects are not needed (https://docs.djangoproject.com/en/stable/topics/db/optimization/). SQLAlchemy's
`load_only` and column selects do the same (https://docs.sqlalchemy.org/en/20/orm/queryguide/columns.html);
PostgreSQL keeps large texts and JSON outside of the row and fetches them when they are selected
(https://www.postgresql.org/docs/current/storage-toast.html).

**Do instead.** Select what is used: `select(User.id, User.name)`, `.values_list("id")`, `load_only`;
`select(func.count())` and `exists()`; `.limit(1)` or `.first()`; a WHERE clause; a page at a time for lists.

**Leave it when** the table is small and stays so (settings, roles), or the objects are in the identity map anyway.

```python flags
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy import Text

class Base(DeclarativeBase): ...

class Article(Base):
    __tablename__ = "articles"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    views: Mapped[int]
    body: Mapped[str] = mapped_column(Text)

def count(session: Session) -> int:
    return len(session.query(Article).all())  # flagged

def first(session: Session) -> Article:
    return session.query(Article).order_by(Article.id).all()[0]  # flagged

def titles(session: Session) -> list[str]:
    articles = session.query(Article).all()
    return [article.title for article in articles]  # flagged

def popular(session: Session) -> list[Article]:
    return [article for article in session.query(Article).all() if article.views > 100]  # flagged

def views(session: Session) -> int:
    return sum(article.views for article in session.query(Article).all())  # flagged
```

```python flags
from django.db import models

class Report(models.Model):
    name = models.CharField(max_length=80)
    content = models.JSONField()

def names() -> list[str]:
    found = []
    for report in Report.objects.all():  # flagged
        found.append(report.name)
    return found

def number() -> int:
    return len(Report.objects.filter(name="x"))  # flagged
```

```python passes
from sqlalchemy import Text, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

class Base(DeclarativeBase): ...

class Article(Base):
    __tablename__ = "articles"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    views: Mapped[int]
    body: Mapped[str] = mapped_column(Text)

def count(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(Article))

def titles(session: Session) -> list[str]:
    return list(session.scalars(select(Article.title)))

def popular(session: Session) -> list[Article]:
    return list(session.scalars(select(Article).where(Article.views > 100)))

def whole(session: Session) -> list[dict]:
    articles = session.query(Article).limit(20).all()
    print(len(articles))
    return [{"id": article.id, "title": article.title, "views": article.views, "body": article.body} for article in articles]
```

```python passes
from django.db import models

class Report(models.Model):
    name = models.CharField(max_length=80)
    content = models.JSONField()

def names() -> list[str]:
    return list(Report.objects.values_list("name", flat=True))

def number() -> int:
    return Report.objects.filter(name="x").count()
```
"""

from __future__ import annotations

from collections.abc import Iterator

from evenkeel.audit.model.context import ContextStore
from evenkeel.audit.model.excess import Excess, excesses, may_exceed
from evenkeel.audit.model.finding import Finding
from evenkeel.audit.model.masks import READS_ITSELF
from evenkeel.audit.model.own_relations import GIVEN
from evenkeel.audit.model.rule import Rule
from evenkeel.audit.model.view import FunctionView, ModuleView

RULE = Rule(
    title="More rows or columns than are used",
    severity="MEDIUM",
    needs=frozenset({"db-read", "db-load-all"}),
    facts=frozenset({"loops", "reads", "assignments"}),
)
INSTEAD = {
    "count": "Let the database count: `select(func.count())`, `.count()`; or `exists()` when only that is asked.",
    "first": "Ask for what is taken: `.first()`, `.limit(1)`, a page with `.limit()` and `.offset()`.",
    "filter": "Move the condition into the query's WHERE clause.",
    "aggregate": "Let the database compute it: `func.sum`, `func.max`, `aggregate(...)`, or `exists()`.",
    "columns": "Select the columns that are used (`select(X.a, X.b)`, `values_list`, `load_only`) instead of whole rows.",
}


def check(module: ModuleView, context: ContextStore) -> Iterator[Finding]:
    """One finding for each load of which only a part is used."""
    del context
    for function in module.functions_marked(READS_ITSELF):
        if not may_exceed(function):
            continue
        lines: set[int] = set()
        for each in excesses(function):
            if each.line not in lines:
                lines.add(each.line)
                yield _finding(function, each)


def _finding(function: FunctionView, each: Excess) -> Finding:
    startup = function.role == "startup"
    return each.load.finding(
        "LOW" if startup or not each.costly else "MEDIUM",
        each.what,
        INSTEAD[each.kind],
        effort="S",
        confidence="needs-context" if each.is_relation else "definite" if each.certain else "likely",
        settled_by=GIVEN if each.is_relation else "",
        path=(each.load.step,),
        line=each.line,
        end_line=each.end_line,
    )
