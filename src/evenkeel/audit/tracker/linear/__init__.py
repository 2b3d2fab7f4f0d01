"""The Linear tracker: one issue for one tree and day.

The order of what it does is what makes it safe: find the places, choose an id and keep it, look for the task, then send.
A run that was cut off finds its id again; whoever runs twice a day updates.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from evenkeel.audit.model.settings import TrackerSettings
from evenkeel.audit.tracker.linear import places
from evenkeel.audit.tracker.linear.description import description, is_ours, of_another_tree, token
from evenkeel.audit.tracker.linear.key import VARIABLE
from evenkeel.audit.tracker.linear.places import Team
from evenkeel.audit.tracker.linear.record import Record, Records
from evenkeel.audit.tracker.linear.transport import Api, Data, Variables, document
from evenkeel.audit.tracker.task import Receipt, Task
from evenkeel.kernel.errors import ConflictError, UnavailableError, UsageError

LABEL_COLOUR = "#5e6ad2"
Issue = dict[str, Any]


@dataclass(frozen=True, slots=True)
class LinearTracker:
    """`show` (dry run): it is handed every request that would change something, and none is sent."""

    api: Api
    records: Records
    settings: TrackerSettings = field(default_factory=TrackerSettings)
    show: Callable[[str], None] | None = None
    new_id: Callable[[], str] = lambda: str(uuid.uuid4())

    def create(self, task: Task) -> Receipt:
        """Raises UsageError, ConfigurationError, ConflictError, RateLimitedError or UnavailableError."""
        team = places.team(self.api, self.settings.team, task.board)
        notes: list[str] = []
        project = self._project(team, task, notes)
        label_ids = self._labels(team, task, notes)
        record = self._record(team, task)
        same = self._same(team, task, record)
        if same:
            name, variables = "update_issue", self._update(task, same, project, label_ids)
        else:
            name, variables = "create_issue", self._creation(task, team, record.id, project, label_ids)
        record = Record(record.id, record.marker, record.team, {"document": name, "variables": variables})
        self.records.put(record)
        if self.show:
            self.show(self._printed(name, variables))
            return Receipt(created=False, note="; ".join(["dry run: the request was printed, not sent", *notes]))
        issue = self._sent(name, variables)
        self.records.put(Record(issue["id"], record.marker, team.id, record.request, issue["identifier"], issue["url"]))
        done = "updated" if same else "created"
        return Receipt(created=True, note="; ".join([f"{issue['identifier']} {done}: {issue['url']}", *notes]))

    def _project(self, team: Team, task: Task, notes: list[str]) -> str:
        found = places.project(self.api, team.id, self.settings.project, task.board)
        if found:
            return found[0]
        if self.settings.require_project:
            raise UsageError(
                f"The team {team.key} has no project called Epic 0.",
                hint="Make one, name another with tracker.project, or set tracker.require-project to false.",
            )
        notes.append(f"team {team.key} has no project called Epic 0, so it stands in none")
        return ""

    def _labels(self, team: Team, task: Task, notes: list[str]) -> list[str]:
        found = places.labels(self.api, team.id, task.labels)
        ids, left = list(found.ids), list(found.missing)
        if self.settings.create_labels:
            for name in found.missing:
                variables = {"input": {"name": name, "teamId": team.id, "color": LABEL_COLOUR}}
                if self.show:
                    self.show(self._printed("create_label", variables))
                    continue
                made = _payload(self.api.call("create_label", variables), "issueLabelCreate", "issueLabel")
                ids.append(made["id"])
                left.remove(name)
        if left:
            hint = "" if self.settings.create_labels else "; tracker.create-labels would make them"
            notes.append(f"without the labels {', '.join(left)}, which the team lacks{hint}")
        return ids

    def _record(self, team: Team, task: Task) -> Record:
        known = self.records.get(team.id, token(task))
        return known or Record(self.new_id(), token(task), team.id)

    def _same(self, team: Team, task: Task, record: Record) -> Issue | None:
        """The task of this tree and day, if it is there. Raises ConflictError for someone else's issue of its title."""
        any_of = [
            {"id": {"eq": record.id}},
            {"title": {"eq": task.title}},
            {"description": {"contains": token(task)}},
        ]
        wanted = {"team": {"id": {"eq": team.id}}, "or": any_of}
        nodes: list[Issue] = self.api.call("issues", {"filter": wanted, "first": places.PAGE})["issues"]["nodes"]
        found = [each for each in nodes if not each["trashed"]]
        for each in found:
            if each["id"] == record.id or token(task) in (each["description"] or ""):
                return each
        titled = [each for each in found if not of_another_tree(each["description"], task)]
        for each in titled:
            if is_ours(each["description"]):
                return each
        if titled:
            raise ConflictError(
                f"{titled[0]['identifier']} has the title of today's task and was not written by evenkeel.",
                hint="Rename it, or move it to another team.",
            )
        return None

    def _creation(self, task: Task, team: Team, identity: str, project: str, labels: list[str]) -> Variables:
        chosen = {
            "id": identity,
            "teamId": team.id,
            "title": task.title,
            "description": description(task, self.settings.max_description),
            "priority": task.priority,
            "labelIds": labels,
            "projectId": project,
            "stateId": team.backlog,
        }
        return {"input": {name: value for name, value in chosen.items() if value not in ("", [])}}

    def _update(self, task: Task, issue: Issue, project: str, labels: list[str]) -> Variables:
        chosen = {
            "title": task.title,
            "description": description(task, self.settings.max_description),
            "priority": task.priority,
            "addedLabelIds": labels,
            "projectId": "" if issue["project"] else project,
        }
        return {"id": issue["id"], "input": {name: value for name, value in chosen.items() if value not in ("", [])}}

    def _sent(self, name: str, variables: Variables) -> Issue:
        answer = "issueCreate" if name == "create_issue" else "issueUpdate"
        return _payload(self.api.call(name, variables), answer, "issue")

    def _printed(self, name: str, variables: Variables) -> str:
        headers = {"Authorization": f"(the key from {VARIABLE} or the keyring)", "Content-Type": "application/json"}
        body = {"query": document(name), "variables": variables}
        request = {"method": "POST", "url": self.api.address, "headers": headers, "body": body}
        return json.dumps(request, indent=2, ensure_ascii=False)


def _payload(data: Data, answer: str, entity: str) -> Issue:
    """What a mutation made. Raises UnavailableError when Linear does not say that it did."""
    payload = data.get(answer) or {}
    made = payload.get(entity)
    if not payload.get("success") or not isinstance(made, dict):
        raise UnavailableError(
            "Linear does not say that it carried the request out.",
            hint="Look in Linear, or run it again: the task's id is kept, so no second task comes of it.",
        )
    return made
