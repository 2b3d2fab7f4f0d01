"""One attempt at an order, from the stream it opens to the last word it says: the part of a run that a cancel stops."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from evenkeel.hotpath.ports.agent_tasks import ClaimedTask, Held, TaskStatus
from evenkeel.hotpath.ports.bounded import MapRules
from evenkeel.hotpath.ports.bus import Subscription
from evenkeel.hotpath.ports.cancellation import CancelledBy, CancelToken
from evenkeel.hotpath.ports.errors import FencedError, StoppedError
from evenkeel.hotpath.ports.event_writer import Draft, RunWriter
from evenkeel.hotpath.ports.task_queue import Outcome
from evenkeel.hotpath.ports.threads import ThreadStatus
from evenkeel.kernel.errors import EvenkeelError, UnavailableError
from evenkeel.serve.agent.at_work import AtWork, Turn
from evenkeel.serve.agent.failures import told
from evenkeel.serve.agent.history import History, Meta, Row
from evenkeel.serve.agent.kit import Kit, Scene, settings_for
from evenkeel.serve.agent.narration import Narrator
from evenkeel.serve.agent.orders import Order, queue_data
from evenkeel.serve.agent.questions import content_of, parts_of, title_of
from evenkeel.serve.agent.recovery import Left, left_by
from evenkeel.serve.agent.together import all_of, done, to_the_end
from evenkeel.serve.agent.tools.kinds import Place
from evenkeel.serve.agent.turn import Begun as Start
from evenkeel.serve.agent.turn import take_turn
from evenkeel.serve.ports.failures import RunFailedError
from evenkeel.serve.ports.runs import Answer, Begun, Usage

LOG = logging.getLogger(__name__)
WAITING = 10_000
"""Sessions remembered as waiting for their user's answer: a hint for lists, such a session is idle."""
REPORTED = 20
"""How far back the answer of a run is looked for: it is the newest of its rows."""
HEARD_S = 0.5
"""How long a run whose stream was taken waits to hear whether it was cancelled: the rollback path looks every 0.2 s."""
ASKED_S = 10.0
"""The lease of a task that is asked after once more."""
STOPPED = frozenset({CancelledBy.USER, CancelledBy.ADMIN})


class Attempts:
    """Carries attempts out. `waiting` = sessions whose last turn asked the user something."""

    def __init__(self, kit: Kit) -> None:
        self._kit, self._parts = kit, kit.parts
        rules: MapRules[str, bool] = MapRules("agent_waiting", WAITING, ttl_s=86_400.0)
        self.waiting = kit.parts.maps.map(rules)

    async def work(self, turn: Turn, token: CancelToken, mine: AtWork) -> Outcome:
        """To the end. Raises `CancelledError` when the process must let go of the run without a last word, and
        `UnavailableError` when storage is away: then another attempt goes on from here.
        """
        try:
            left = await self.left(turn.task, turn.order)
            if left.ended:
                return await self._over(turn, left.ended, "")
            opened = await self._opened(turn, left, mine)
        except StoppedError:
            raise  # it was cancelled while it waited for its turn: it does not begin
        except EvenkeelError as error:
            mine.over = True
            if _told_caller(turn, error) or not isinstance(error, (UnavailableError, FencedError)):
                return Outcome(TaskStatus.FAILED, error.message)
            raise  # nobody waits for it here: the queue tries again
        run, user_round, rows, subscription = opened
        mine.voice = voice = Narrator(run, user_round)
        if turn.hear is not None and not turn.hear.done():
            assert subscription is not None  # noqa: S101 opened for whoever hears
            turn.hear.set_result(Begun(turn.session_id, user_round, subscription))
        started, away = self._parts.clock.monotonic_s(), [0.0]
        outcome = "stopped"
        try:
            outcome, reason = await self._turned(turn, token, voice, left, rows, away)
            return await self._over(turn, outcome, reason)
        finally:
            self._kit.meter.ended(outcome, self._parts.clock.monotonic_s() - started, away[0])
            with suppress(EvenkeelError):
                await run.close()

    async def stopped(self, turn: Turn, token: CancelToken) -> bool:
        """Whether someone cancelled it. Who cancels takes the lease away, too: where the wake-up is lost, or none can come,
        that is what the run notices, and the task says why.
        """
        if token.reason in STOPPED or turn.context.cancelled:
            return True
        if token.reason is not CancelledBy.LEASE_LOST and not turn.grant.lost:
            return False
        with suppress(EvenkeelError):
            beat = await self._parts.storage.tasks.heartbeat([Held(turn.task.task_id, turn.task.attempt)], ASKED_S)
            return turn.task.task_id in beat.cancelled
        return False

    async def left(self, task: ClaimedTask, order: Order) -> Left:
        """What an earlier attempt left; nothing for a first one."""
        if task.attempt == 1:
            return Left()
        rows = await self._history(task, order).window(self._kit.settings.history.messages)
        return await left_by(task.task_id, rows, self._parts.storage.events, order.session_id)

    async def _opened(
        self, turn: Turn, left: Left, mine: AtWork
    ) -> tuple[RunWriter, int, tuple[Row, ...], Subscription | None]:
        """The stream, the number of the round, the rows that the model is sent, and the caller's subscription."""
        parts, request = self._parts, turn.order.request
        history = self._history(turn.task, turn.order)
        user_round, rows = left.user_round, left.begun.rows
        if user_round:
            return await self._begin(turn, mine), user_round, rows, None
        counting = parts.storage.sessions.next_round(turn.session_id, request.user_id, title_of(request))
        window = history.window(self._kit.settings.history.messages)
        if turn.hear is None:
            run, user_round, before = await all_of(self._begin(turn, mine), counting, window)
            asked = self._asked(turn, history, user_round)
            await all_of(history.add([("user", asked)]), done(run))
            return run, user_round, (*before, asked), None
        # Read first, then open: whoever cancels once the stream is open ends it, and the caller must see that end.
        subscription, user_round, before = await all_of(parts.bus.subscribe(None, turn.session_id), counting, window)
        asked = self._asked(turn, history, user_round)
        run, _, _ = await all_of(self._begin(turn, mine), history.add([("user", asked)]), done(subscription))
        return run, user_round, (*before, asked), subscription

    async def _begin(self, turn: Turn, mine: AtWork) -> RunWriter:
        """Whoever is cancelled meanwhile must know whether the stream was opened: see `Worker._never_came`."""
        user_id, fence = turn.order.request.user_id, turn.context.fence
        opening = asyncio.ensure_future(self._parts.writer.begin(turn.session_id, user_id, fence=fence))
        try:
            await to_the_end(opening)
        finally:
            mine.opened = opening.done() and not opening.cancelled() and opening.exception() is None
            if mine.opened and mine.cancelling:
                with suppress(EvenkeelError):
                    await opening.result().close()
        return opening.result()

    def _asked(self, turn: Turn, history: History, user_round: int) -> Row:
        request = turn.order.request
        return history.row("user", content_of(request), Meta(history.run, user_round), parts=parts_of(request))

    def _history(self, task: ClaimedTask, order: Order) -> History:
        chat, clock = self._parts.storage.chat, self._parts.clock
        return History(chat, clock, order.session_id, order.request.user_id, task.task_id)

    async def _turned(
        self, turn: Turn, token: CancelToken, voice: Narrator, left: Left, rows: tuple[Row, ...], away: list[float]
    ) -> tuple[str, str]:
        """The kind of the terminal event, and the error; whatever happens is told there, once."""
        try:
            scene = await self._introduced(turn, voice, left)
            try:
                await self._played(scene, left, rows)
            finally:
                away[0] = scene.away_s
        except asyncio.CancelledError:
            if await self.stopped(turn, token):
                await self._stopped(turn, voice)
                return "cancelled", ""
            raise
        except FencedError:  # whoever took the stream has said the last word
            await self._superseded(turn, token, voice)
            return "cancelled", "superseded"
        except UnavailableError:
            raise  # the queue tries again, and the next attempt goes on from here
        except Exception as error:
            code, message, detail = told(error)
            if code == "INTERNAL_ERROR":
                LOG.warning("A turn of session %s failed.", turn.session_id, exc_info=error)
            with suppress(FencedError):
                await voice.failed(code, message, detail)
            return "error", f"{code}: {message}"
        return "final", ""

    async def _introduced(self, turn: Turn, voice: Narrator, left: Left) -> Scene:
        kit, request = self._kit, turn.order.request
        if left.user_round:
            voice.model_round = left.model_round
            await voice.resumed(turn.task.attempt, len(left.begun.shown))
            kit.meter.taken_up()
        else:
            if turn.order.queued:
                await voice.queue("queue_start", _queue_data(turn, ""))
                await self._parts.storage.threads.set_status(turn.session_id, ThreadStatus.BUSY)
            await voice.started(self._parts.lean.cut(request.question, 65_536).text)
        settings = settings_for(kit.settings, request.config_overrides)
        model = kit.models.named(request.model_name, settings, kit.settings)
        tools = await kit.toolbox.chosen(request.tool_names, settings.tools.default, skip=request.skip_tool_calls)
        place = Place(request.user_id, request.agent_id, turn.session_id)
        user_round = left.user_round or voice.user_round
        return Scene(
            kit, request, settings, voice, self._history(turn.task, turn.order), model, tools, place, user_round
        )

    async def _played(self, scene: Scene, left: Left, rows: tuple[Row, ...]) -> None:
        if left.answer is not None:  # it was kept, and the process died before it could say so
            reason = "question_panel" if left.answer.questionPanel else "model_response"
            await scene.voice.final(left.answer.content, Usage(), left.begun.spent, reason, {})
            return
        self.waiting.pop(scene.place.session_id, None)
        ending = await take_turn(scene, left.begun if left.user_round else Start(rows))
        if ending.stop_reason == "question_panel":
            self.waiting[scene.place.session_id] = True
        await scene.voice.final(ending.answer, ending.usage, ending.total, ending.stop_reason, ending.extra)

    async def _stopped(self, turn: Turn, voice: Narrator) -> None:
        """Keep what was shown, then say the last word, unless whoever cancelled has said it."""
        voice.ended = True  # hearing of the cancel by another way, too, must not stop this
        await self._keep_shown(turn, voice)
        with suppress(FencedError):
            await voice.stopped()

    async def _superseded(self, turn: Turn, token: CancelToken, voice: Narrator) -> None:
        """The stream was taken by a cancel that is heard of in a moment: then what was shown is kept. Or by a later
        attempt: then nothing is, since that one goes on with the text.
        """
        voice.ended = True
        try:
            async with asyncio.timeout(HEARD_S):
                await token.wait()
        except TimeoutError:
            pass
        except asyncio.CancelledError:
            if not turn.context.cancelled:
                raise
        if await self.stopped(turn, token):
            await self._keep_shown(turn, voice)

    async def _keep_shown(self, turn: Turn, voice: Narrator) -> None:
        text = "".join(voice.text)
        if not text:
            return
        meta = Meta(turn.task.task_id, voice.user_round, voice.model_round, stopped=True)
        history = self._history(turn.task, turn.order)
        with suppress(EvenkeelError):
            await history.add([(f"{voice.model_round}.answer", history.row("assistant", text, meta))])

    async def _over(self, turn: Turn, kind: str, error: str) -> Outcome:
        """The outcome is the terminal event; of a queued run the queue says so too."""
        if kind != "cancelled" and self._kit.on_end is not None and turn.order.request.reply_to is not None:
            await self._kit.on_end(turn.order.request, turn.task.task_id, await self._told(turn, kind, error))
        status = {"final": TaskStatus.SUCCESS, "cancelled": TaskStatus.CANCELLED}.get(kind, TaskStatus.FAILED)
        if turn.order.queued:
            said = "queue_finish" if kind == "final" else "queue_fail"
            with suppress(EvenkeelError):
                await self._parts.storage.threads.set_status(turn.session_id, ThreadStatus.IDLE)
                await self._parts.writer.say(
                    turn.session_id, turn.order.request.user_id, Draft(said, _queue_data(turn, error or kind))
                )
        return Outcome(status, error)

    async def _told(self, turn: Turn, kind: str, error: str) -> Answer | RunFailedError:
        """How the run ended, from what is stored: an attempt that only closes what another began knows no more."""
        if kind != "final":
            code, _, message = error.partition(": ")
            return RunFailedError(code if message else "INTERNAL_ERROR", message or error or "The run failed.")
        rows = await self._history(turn.task, turn.order).window(REPORTED)
        mine = [row for row in rows if row.role == "assistant" and row.meta.run == turn.task.task_id and row.content]
        return Answer(turn.session_id, mine[-1].content if mine else "", Usage(), "unknown")


def _told_caller(turn: Turn, error: EvenkeelError) -> bool:
    """Whether someone waited for the run to begin: they know now that it did not, so it must not begin later."""
    if turn.hear is None or turn.hear.done():
        return False
    turn.hear.set_exception(error)
    return True


def _queue_data(turn: Turn, error: str) -> dict[str, object]:
    return queue_data(turn.task.task_id, turn.order, "" if error == "final" else error)
