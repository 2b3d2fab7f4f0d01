from flask_sqlalchemy import SQLAlchemy

db = SQLAlchemy()


class Author(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String(80))
    articles = db.relationship("Article", lazy="dynamic")


class Article(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    author_id = db.Column(db.ForeignKey("author.id"))
    editor = db.relationship("Editor", backref=db.backref("edited", lazy="dynamic"))


class Editor(db.Model):
    id = db.Column(db.Integer, primary_key=True)


def counted() -> dict[str, int]:
    return {author.name: author.articles.count() for author in Author.query.limit(20)}  # flagged


def edited() -> list[int]:
    found = []
    for editor in Editor.query.all():
        found.append(editor.edited.filter_by(author_id=1).count())  # flagged
    return found


def named() -> list[str]:
    return [author.name for author in Author.query.limit(20)]
