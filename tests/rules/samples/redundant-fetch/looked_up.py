"""What is looked up in a dictionary is no query, and what a cache may hold was not surely loaded."""

from django.core.cache import cache
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.urls import path


class Team(models.Model):
    name = models.CharField(max_length=80)


class Flag(models.Model):
    team = models.ForeignKey(Team, on_delete=models.CASCADE)
    state = models.CharField(max_length=80)


def counts(teams: list[int], one: int) -> tuple[int, int]:
    flags = dict(Flag.objects.filter(team__in=teams).values("team_id").values_list("team_id", "state"))
    states = dict(Flag.objects.filter(team__in=teams, state="on").values_list("team_id", "state"))
    return flags.get(one), states.get(one)


def described(team_id: int) -> str:
    text = cache.get(f"team:{team_id}")
    if text is not None:
        return text
    team = Team.objects.get(pk=team_id)
    cache.set(f"team:{team_id}", team.name)
    return team.name


def loaded(team_id: int) -> Team:
    return Team.objects.get(pk=team_id)


def show(request: HttpRequest, team_id: int) -> HttpResponse:
    text = described(team_id)
    return HttpResponse(text + loaded(team_id).name)


def show_twice(request: HttpRequest, team_id: int) -> HttpResponse:
    team = loaded(team_id)
    return HttpResponse(team.name + loaded(team_id).name)  # flagged


urlpatterns = [path("a", show), path("b", show_twice)]


def find_or_raise(team_id: int) -> Team:
    return Team.objects.get(pk=team_id)


def states(team_id: int) -> list[str]:
    """Asks for the team only when it has no flags, to tell an empty team from none."""
    found = [each.state for each in Flag.objects.filter(team_id=team_id)]
    if not found:
        find_or_raise(team_id)
    return found


def listed(team_id: int) -> str:
    return f"{states(team_id)} of {loaded(team_id).name}"


def named(team_id: int, full: bool) -> str:
    team = find_or_raise(team_id)
    return team.name if full else team.name[:3]


def titled(team_id: int) -> str:
    return f"{named(team_id, True)}: {loaded(team_id).pk}"  # flagged


class Right(models.Model):
    team = models.ForeignKey(Team, on_delete=models.CASCADE)
    key = models.CharField(max_length=80)


def right_of(team: int, key: str) -> Right:
    return Right.objects.get(team_id=team, key=key)


def may_read(team: int) -> bool:
    return right_of(team, "read").pk > 0


def may_write(team: int) -> bool:
    return right_of(team, "write").pk > 0


def told(team: int) -> tuple[bool, bool]:
    """Each asks for another right of the team."""
    return may_read(team), may_write(team)


def told_twice(team: int) -> tuple[bool, bool]:
    return may_read(team), may_read(team)  # flagged


def right_by(team: int, key: str, exact: bool = True) -> Right:
    return Right.objects.get(team_id=team, key=key, team__name=exact)


def first_right(team: int, key: str) -> Right:
    return right_by(team, key)


def second_right(team: int, key: str) -> Right:
    return right_by(team, key)


def told_by_default(team: int, key: str) -> tuple[Right, Right]:
    """What is left out is the same for both."""
    return first_right(team, key), second_right(team, key)  # flagged
