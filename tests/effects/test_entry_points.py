"""Entry points: what frameworks call, however it is registered."""

from __future__ import annotations

import pytest

from tests.effects.linked import link_source

SOURCES: dict[str, tuple[str, dict[str, str]]] = {
    "django views, viewsets, commands": (
        """
from django.core.management.base import BaseCommand
from django.urls import path
from django.views import View
from rest_framework import viewsets
from rest_framework.decorators import action, api_view
from rest_framework.routers import DefaultRouter
class Page(View):
    def get(self, request): ...
    def unrelated(self): ...
class Orders(viewsets.ModelViewSet):
    def list(self, request): ...
    @action(detail=True)
    def cancel(self, request, pk): ...
@api_view(["GET"])
def functional(request): ...
def plain(request): ...
class Command(BaseCommand):
    def handle(self, **options): ...
router = DefaultRouter()
router.register("orders", Orders)
urlpatterns = [path("page", Page.as_view()), path("plain", plain)]
""",
        {
            "get": "handler",
            "list": "handler",
            "cancel": "handler",
            "functional": "handler",
            "plain": "handler",
            "handle": "cli",
        },
    ),
    "flask method views and rules": (
        """
from flask import Flask
from flask.views import MethodView
app = Flask(__name__)
class Item(MethodView):
    def get(self, pk): ...
def added(): ...
def before(): ...
@app.route("/x")
def routed(): ...
app.add_url_rule("/a", view_func=added)
app.add_url_rule("/b", "b", added)
app.before_request(before)
app.add_url_rule("/i", view_func=Item.as_view("item"))
""",
        {"get": "handler", "added": "handler", "routed": "handler", "before": "handler"},
    ),
    "aiohttp tables and routers": (
        """
from aiohttp import web
routes = web.RouteTableDef()
@routes.get("/")
async def decorated(request): ...
async def added(request): ...
async def listed(request): ...
class Seen(web.View):
    async def get(self): ...
@web.middleware
async def around(request, handler): ...
async def begin(app): ...
app = web.Application(middlewares=[around])
app.router.add_get("/a", added)
app.add_routes([web.get("/l", listed)])
app.on_startup.append(begin)
""",
        {
            "decorated": "handler",
            "added": "handler",
            "listed": "handler",
            "get": "handler",
            "around": "handler",
            "begin": "startup",
        },
    ),
    "fastapi and starlette": (
        """
from fastapi import APIRouter, Depends, FastAPI
from starlette.routing import Route, WebSocketRoute
from starlette.endpoints import HTTPEndpoint
router = APIRouter()
@router.get("/")
async def decorated(): ...
async def added(): ...
async def routed(request): ...
async def socket(websocket): ...
async def checked(): ...
class Point(HTTPEndpoint):
    async def get(self, request): ...
app = FastAPI(dependencies=[Depends(checked)])
app.include_router(router)
app.add_api_route("/a", added)
routes = [Route("/r", routed), Route("/s", endpoint=routed), WebSocketRoute("/w", socket)]
""",
        {
            "decorated": "handler",
            "added": "handler",
            "routed": "handler",
            "socket": "websocket",
            "get": "handler",
            "checked": "dependency",
        },
    ),
    "litestar, tornado, channels": (
        """
import tornado.web
from channels.generic.websocket import AsyncWebsocketConsumer
from litestar import Controller, get, post
class Items(Controller):
    @get("/")
    async def index(self) -> list[str]: ...
    @post("/")
    async def create(self) -> None: ...
class Main(tornado.web.RequestHandler):
    async def put(self): ...
class Chat(AsyncWebsocketConsumer):
    async def receive(self, text_data=None): ...
""",
        {"index": "handler", "create": "handler", "put": "handler", "receive": "websocket"},
    ),
    "tasks and timers": (
        """
import dramatiq
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from celery import Celery
from celery.signals import worker_ready
app = Celery()
scheduler = AsyncIOScheduler()
@app.task
def work(): ...
@dramatiq.actor
def act(): ...
@scheduler.scheduled_job("interval", seconds=3)
def ticked(): ...
def added(): ...
def named(): ...
scheduler.add_job(added, "interval", seconds=1)
scheduler.add_job(func=named, trigger="interval")
@app.on_after_configure.connect
def configure(sender, **kwargs): ...
@worker_ready.connect
def ready(**kwargs): ...
""",
        {
            "work": "task",
            "act": "task",
            "ticked": "cron",
            "added": "cron",
            "named": "cron",
            "configure": "startup",
            "ready": "signal",
        },
    ),
}


@pytest.mark.parametrize("framework", SOURCES)
def test_frameworks_find_their_way_in(framework: str) -> None:
    source, expected = SOURCES[framework]
    assert link_source(source).entries() == expected
