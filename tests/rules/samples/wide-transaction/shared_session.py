import requests
import telebot
from flask import Flask, jsonify, request
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import Session

db = SQLAlchemy()
app = Flask(__name__)
bot = telebot.TeleBot("token")


class User(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    email = db.Column(db.String(255))
    note = db.Column(db.String(255))


@app.post("/signup")
def signup():
    user = User(email=request.json["email"])
    db.session.add(user)
    db.session.flush()
    answer = requests.post("https://billing.example.com", json={"ref": user.id}, timeout=10)  # flagged
    user.note = answer.json()["note"]
    db.session.commit()
    return jsonify(id=user.id)


@app.post("/signup/asked-first")
def asked_first():
    answer = requests.post("https://billing.example.com", json={"ref": request.json["email"]}, timeout=10)
    db.session.add(User(email=request.json["email"], note=answer.json()["note"]))
    db.session.commit()
    return jsonify(ok=True)


def told(user_id: int) -> None:
    """Whoever calls it may have ended the transaction."""
    user = db.session.get(User, user_id)
    requests.post("https://hooks.example.com", json={"email": user.email}, timeout=5)


def refused(session: Session, user_id: int) -> None:
    with Session(session.bind) as own:
        user = own.get(User, user_id)
        if not user:
            return bot.send_message(1, "not found")
    bot.send_message(1, user.email)
