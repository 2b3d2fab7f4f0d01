import requests
from celery import shared_task
from flask_sqlalchemy import SQLAlchemy

db = SQLAlchemy()


class Export(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    state = db.Column(db.String(20))


@shared_task
def run() -> None:
    pending = Export.query.filter_by(state="pending").limit(10).all()  # flagged
    for export in pending:
        export.state = "running"
        db.session.commit()
        requests.post("https://example.org", json={"id": export.id}, timeout=60)
        export.state = "done"
        db.session.commit()


@shared_task
def run_claimed() -> None:
    pending = Export.query.filter_by(state="pending").with_for_update(skip_locked=True).limit(10).all()
    for export in pending:
        export.state = "running"
    db.session.commit()
    for export in pending:
        requests.post("https://example.org", json={"id": export.id}, timeout=60)
