"""`/wunder/auth/*` (section 2)."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from evenkeel.serve.api.accounts import LoggedIn, Registration
from evenkeel.serve.api.callers import bearer_of
from evenkeel.serve.api.desk import Desk, address_of
from evenkeel.serve.api.profiles import user_profile
from evenkeel.serve.ports.failures import CodedError

Answer = dict[str, object]
TEXT = 4096


class RegisterBody(BaseModel):
    """A new account."""

    username: str = Field(max_length=TEXT, description="Letters, digits, _ and -")
    password: str = Field(max_length=TEXT, description="The password")
    email: str | None = Field(None, max_length=TEXT, description="If there is one")
    access_level: str | None = Field(None, max_length=16, description="A, B or C; none = A")
    unit_id: str | None = Field(None, max_length=TEXT, description="There are none yet")


class LoginBody(BaseModel):
    """Who logs in."""

    username: str = Field(max_length=TEXT, description="The name")
    password: str = Field(max_length=TEXT, description="The password")


class DemoBody(BaseModel):
    """Which demonstration user; none = a new one."""

    demo_id: str | None = Field(None, max_length=TEXT, description="Which demonstration user; none = a new one")


class ProfileBody(BaseModel):
    """What to change of one's own account."""

    username: str | None = Field(None, max_length=TEXT, description="A new name")
    email: str | None = Field(None, max_length=TEXT, description="A new address")
    unit_id: str | None = Field(None, max_length=TEXT, description="There are none yet")


class SetupBody(BaseModel):
    """The secret of the one-time link, and the first administrator's password."""

    token: str = Field(max_length=256, description="Of the link")
    password: str = Field(max_length=TEXT, description="Of the administrator")
    username: str | None = Field(None, max_length=TEXT, description="None = admin")


def auth_routes(desk: Desk) -> APIRouter:
    """Accounts and tokens."""
    router = APIRouter(prefix="/wunder/auth", tags=["auth"])

    @router.post("/register", summary="Make an account and log in")
    async def register(body: RegisterBody, request: Request) -> Answer:
        wanted = Registration(body.username, body.password, body.email or "", body.access_level or "A")
        if body.unit_id:
            raise CodedError("INVALID_REQUEST", "There is no such unit.")
        return _answer(await desk.accounts.register(wanted, address_of(request)))

    @router.post("/login", summary="A token for a name and a password")
    async def login(body: LoginBody, request: Request) -> Answer:
        return _answer(await desk.accounts.log_in(body.username, body.password, address_of(request)))

    @router.post("/demo", summary="Log in without a password, where that is allowed")
    async def demo(body: DemoBody) -> Answer:
        return _answer(await desk.accounts.demo(body.demo_id or ""))

    @router.post("/setup", summary="Make the first administrator, through the one-time link")
    async def setup(body: SetupBody) -> Answer:
        return _answer(await desk.accounts.set_up(body.token, body.username, body.password))

    @router.get("/org_units", summary="Units that accounts can belong to")
    async def org_units() -> Answer:
        return {"data": {"items": [], "tree": []}}

    return router


def profile_routes(desk: Desk) -> APIRouter:
    """One's own account."""
    router = APIRouter(prefix="/wunder/auth", tags=["auth"])

    @router.get("/me", summary="One's own account")
    async def me(request: Request) -> Answer:
        user = await desk.user(request)
        account = await desk.parts.storage.users.by_id(user.user_id)
        if account is None:
            raise CodedError("UNAUTHORIZED", "This account is gone.")
        return {"data": user_profile(account)}

    @router.patch("/me", summary="Change one's own account")
    async def change(body: ProfileBody, request: Request) -> Answer:
        user = await desk.user(request)
        if body.unit_id:
            raise CodedError("INVALID_REQUEST", "There is no such unit.")
        return {"data": user_profile(await desk.accounts.change(user.user_id, body.username, body.email))}

    @router.post("/logout", summary="End the token that this is asked with")
    async def logout(request: Request) -> Answer:
        await desk.user(request)
        await desk.callers.revoke(bearer_of(request.headers))
        return {"data": {"ok": True}}

    return router


def _answer(logged_in: LoggedIn) -> Answer:
    return {"data": {"access_token": logged_in.token, "user": user_profile(logged_in.user)}}
