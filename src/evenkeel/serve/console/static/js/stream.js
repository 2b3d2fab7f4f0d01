// The live side: one WebSocket for the page, watching one session; it comes back by itself and goes on from the cursor.
// Where no WebSocket can be had, the same events are read as server-sent events.
import { eventsOf, send, token } from "./api.js";

const FIRST_WAIT_MS = 400;
const LONGEST_WAIT_MS = 10_000;
const TRIES_BEFORE_FALLBACK = 3;
const PING_MS = 25_000;

export class Live {
  // `handlers`: onEvent(event), onFailure({code, message}, requestId), onState("connecting" | "offline" | "fallback" | "").
  constructor(handlers) {
    this.handlers = handlers;
    this.socket = null;
    this.ready = false;
    this.tries = 0;
    this.watched = null; // {sessionId, cursor: () => number}
    this.requests = 0;
    this.closed = false;
    this.controller = null;
  }

  connect() {
    if (this.closed || this.socket) return;
    this.handlers.onState("connecting");
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    this.socket = new WebSocket(`${scheme}://${location.host}/wunder/chat/ws`, ["wunder", `wunder-auth.${token()}`]);
    this.socket.onmessage = (message) => this.receive(JSON.parse(message.data));
    this.socket.onclose = () => this.lost();
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
    clearInterval(this.pings);
    if (this.controller) this.controller.abort();
    if (this.socket) this.socket.close();
  }

  watch(sessionId, cursor) {
    if (this.watched && this.watchId && this.ready) this.write("cancel", { request_id: this.watchId });
    this.watched = sessionId ? { sessionId, cursor } : null;
    if (this.controller) this.controller.abort();
    if (!sessionId) return;
    if (this.ready) this.startWatch();
    else if (this.useFallback()) this.follow();
  }

  // Answers once the request left; what comes of it arrives as events of the watched session.
  async ask(sessionId, content) {
    if (this.ready) return void this.write("start", { request_id: this.nextId("ask"), session_id: sessionId, payload: { content } });
    const path = `/wunder/chat/sessions/${encodeURIComponent(sessionId)}/messages`;
    const response = await send(path, { method: "POST", body: { content, stream: true } });
    if (this.controller) this.controller.abort();
    this.read(response, sessionId).then(() => this.useFallback() && this.follow());
  }

  useFallback() {
    return this.tries >= TRIES_BEFORE_FALLBACK && !this.ready;
  }

  nextId(kind) {
    this.requests += 1;
    return `${kind}-${this.requests}`;
  }

  write(type, message) {
    this.socket.send(JSON.stringify({ type, ...message }));
  }

  startWatch() {
    this.watchId = this.nextId("watch");
    const { sessionId, cursor } = this.watched;
    this.write("watch", { request_id: this.watchId, session_id: sessionId, payload: { after_event_id: cursor() } });
  }

  receive(message) {
    if (message.type === "ready" && !this.ready) return this.opened();
    if (message.type === "error") return this.handlers.onFailure(message.payload || {}, message.request_id || "");
    if (message.type !== "event" || !this.watched || message.session_id !== this.watched.sessionId) return;
    // A question's own stream repeats what the watch shows; only what has no id is said there alone.
    if (message.request_id !== this.watchId && message.payload.id) return;
    if (message.payload.event === "final" && message.payload.data && message.payload.data.queued) return;
    this.handlers.onEvent(message.payload);
  }

  opened() {
    this.ready = true;
    this.tries = 0;
    this.handlers.onState("");
    clearInterval(this.pings);
    this.pings = setInterval(() => this.write("ping", {}), PING_MS);
    if (this.controller) this.controller.abort();
    if (this.watched) this.startWatch();
  }

  lost() {
    this.socket = null;
    this.ready = false;
    clearInterval(this.pings);
    if (this.closed) return;
    this.tries += 1;
    const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.tries) * (0.7 + Math.random() * 0.6);
    this.handlers.onState(this.useFallback() ? "fallback" : "offline");
    if (this.useFallback() && this.watched && !this.following) this.follow();
    this.timer = setTimeout(() => this.connect(), wait);
  }

  // Server-sent events: replay and follow until the session rests.
  async follow() {
    const { sessionId, cursor } = this.watched;
    this.controller = new AbortController();
    this.following = true;
    try {
      const path = `/wunder/chat/sessions/${encodeURIComponent(sessionId)}/resume?after_event_id=${cursor()}`;
      await this.read(await send(path, { signal: this.controller.signal }), sessionId);
    } catch (error) {
      if (error.name !== "AbortError") this.handlers.onState("offline");
    }
    this.following = false;
  }

  async read(response, sessionId) {
    try {
      for await (const event of eventsOf(response)) {
        if (!this.watched || this.watched.sessionId !== sessionId) return void response.body.cancel().catch(() => {});
        this.handlers.onEvent(event);
      }
    } catch (error) {
      if (error.name !== "AbortError") this.handlers.onState("offline");
    }
  }
}
