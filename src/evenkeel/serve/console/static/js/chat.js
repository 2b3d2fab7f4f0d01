// The chat page: sessions at the left, one conversation, a place to write.
import { chat } from "./api.js";
import { element, notice } from "./dom.js";
import { markdown } from "./markdown.js";
import { apply, newState, view } from "./rounds.js";
import { Live } from "./stream.js";
import { word } from "./words.js";

const NEAR_END_PX = 80;
const remembered = (id) => Number(sessionStorage.getItem(`evenkeel.round.${id}`) || 0);

export function chatPage(main, sessionId) {
  const page = new ChatPage(main);
  page.open(sessionId);
  return page;
}

class ChatPage {
  constructor(main) {
    this.state = newState();
    this.nodes = new Map();
    this.live = new Live({
      onEvent: (event) => this.receive(event),
      onFailure: (error, requestId) => this.refused(error, requestId),
      onState: (state) => this.connection(state),
    });
    this.build(main);
    this.live.connect();
  }

  build(main) {
    this.list = element("ul");
    this.drawer = element("aside", { class: "drawer", id: "drawer", "aria-label": word("sessions") },
      element("button", { class: "primary", id: "new-chat", onclick: () => (location.hash = "#/chat") }, word("new_chat")), this.list);
    this.log = element("div", { class: "messages", role: "log", "aria-live": "polite", tabindex: "0", "aria-label": word("chat") });
    this.input = element("textarea", { rows: "1", id: "message", placeholder: word("ask"), "aria-label": word("message"), required: true });
    this.sendButton = element("button", { class: "primary", id: "send" }, word("send"));
    this.stopButton = element("button", { class: "danger", type: "button", id: "stop", hidden: true, onclick: () => this.stop() }, word("stop"));
    const form = element("form", { onsubmit: (event) => this.submit(event) }, this.input, this.sendButton, this.stopButton);
    const composer = element("div", { class: "composer" }, form, element("p", { class: "note hint" }, word("hint")));
    main.replaceChildren(element("div", { class: "chat" }, this.drawer,
      element("section", { class: "conversation", "aria-label": word("chat") }, this.log, composer)));
    this.input.addEventListener("keydown", (event) => this.key(event));
    this.input.addEventListener("input", () => this.fit());
    this.keys = (event) => event.key === "Escape" && !this.stopButton.hidden && this.stop();
    document.addEventListener("keydown", this.keys);
  }

  close() {
    document.removeEventListener("keydown", this.keys);
    this.live.close();
    this.connection("");
  }

  async open(sessionId) {
    this.sessionId = sessionId || "";
    this.state = newState();
    this.firstRound = 0;
    this.nodes.clear();
    this.drawer.classList.remove("open");
    this.log.replaceChildren(element("p", { class: "empty" }, word(sessionId ? "loading" : "empty")));
    this.live.watch("", null);
    this.input.focus({ preventScroll: true });
    await this.refreshList();
    if (sessionId) await this.load(sessionId);
    this.buttons();
  }

  async load(sessionId) {
    let session;
    try {
      session = await chat(`/sessions/${encodeURIComponent(sessionId)}`);
    } catch (error) {
      notice(error.message);
      if (error.status === 404) location.hash = "#/chat";
      return;
    }
    if (this.sessionId !== sessionId) return;
    this.log.replaceChildren();
    if (session.history_incomplete) this.log.append(element("p", { class: "note" }, word("cut_history")));
    const running = (session.messages || []).some((each) => each.stream_incomplete);
    const events = await chat(`/sessions/${encodeURIComponent(sessionId)}/events`).catch(() => ({}));
    if (this.sessionId !== sessionId) return;
    const latest = Math.max(0, ...(events.rounds || []).map((each) => each.user_round));
    this.firstRound = running ? latest : latest + 1;
    this.showHistory(session.messages || [], running);
    this.state.running = running;
    this.state.lastId = running ? remembered(sessionId) : events.last_event_id || 0;
    this.live.watch(sessionId, () => this.state.lastId);
    this.toEnd(true);
  }

  // Finished rounds come from the history; a running one is told by its events, from its first on.
  showHistory(messages, running) {
    const shown = running ? messages.slice(0, lastUser(messages)) : messages;
    for (const message of shown) {
      if (message.role === "user") this.log.append(element("div", { class: "round" }, element("div", { class: "user" }, message.content)));
      else this.log.append(this.assistant(message.content, message.reasoning));
    }
    if (!shown.length && !running) this.log.append(element("p", { class: "empty" }, word("empty")));
  }

  assistant(content, reasoning) {
    const node = element("div", { class: "round" });
    if (reasoning) node.append(reasoningNode(reasoning));
    node.append(element("div", { class: "assistant" }, ...markdown(content || "")));
    return node;
  }

  receive(event) {
    if (!apply(this.state, event)) return;
    if (this.state.roundStart) sessionStorage.setItem(`evenkeel.round.${this.sessionId}`, String(this.state.roundStart));
    this.dirty = this.dirty || requestAnimationFrame(() => this.draw());
    if (["final", "error"].includes(event.event)) this.refreshList();
  }

  draw() {
    this.dirty = 0;
    const follow = this.nearEnd();
    const latest = Math.max(0, ...this.state.rounds.keys());
    for (const round of this.state.rounds.values()) {
      if (round.number === latest || round.drawn !== round.ended) this.drawRound(round);
      round.drawn = round.ended;
    }
    this.drawNotes();
    const empty = this.log.querySelector(".empty");
    if (empty && (this.state.rounds.size || this.pending)) empty.remove();
    this.buttons();
    this.toEnd(follow);
  }

  drawRound(round) {
    // The history already shows rounds that had ended when the page was loaded.
    if (round.number < this.firstRound) return;
    let node = this.nodes.get(round.number);
    if (!node) {
      node = element("div", { class: "round" });
      this.nodes.set(round.number, node);
      if (this.pending) this.pending.replaceWith(node);
      else this.log.append(node);
      this.pending = null;
    }
    const open = new Set([...node.querySelectorAll("details[open]")].map((each) => each.dataset.key));
    const parts = view(round);
    node.replaceChildren(...(round.question ? [element("div", { class: "user" }, round.question)] : []), ...parts.map((part, index) => partNode(part, `${index}`, open)));
    if (!round.ended) {
      const last = node.lastElementChild;
      if (last && last.classList.contains("assistant")) last.setAttribute("aria-busy", "true");
      else node.append(element("div", { class: "assistant", "aria-busy": "true" }));
    }
  }

  drawNotes() {
    const wanted = this.state.queued ? word("queued") : this.state.lost ? word("lost") : "";
    if (!this.noteNode && wanted) this.noteNode = element("p", { class: "note", role: "status" });
    if (this.noteNode) {
      this.noteNode.textContent = wanted;
      if (wanted) this.log.append(this.noteNode);
      else this.noteNode.remove();
    }
  }

  get active() {
    const latest = [...this.state.rounds.values()].pop();
    return Boolean(this.pending || this.state.queued || (latest ? !latest.ended : this.state.running));
  }

  buttons() {
    this.stopButton.hidden = !this.active;
    this.sendButton.hidden = this.active;
  }

  async submit(event) {
    event.preventDefault();
    const content = this.input.value.trim();
    if (!content || this.busy) return;
    this.busy = true;
    try {
      if (!this.sessionId) await this.begin();
      this.input.value = "";
      this.fit();
      this.expect(content);
      await this.live.ask(this.sessionId, content);
    } catch (error) {
      this.refused(error, "");
      this.input.value = content;
    } finally {
      this.busy = false;
    }
  }

  async begin() {
    const session = await chat("/sessions", { method: "POST", body: {} });
    this.sessionId = session.id;
    history.replaceState(null, "", `#/chat/${session.id}`);
    this.live.watch(session.id, () => this.state.lastId);
    await this.refreshList();
  }

  // Shown at once; the round's own events take its place.
  expect(content) {
    this.log.querySelector(".empty")?.remove();
    this.pending = element("div", { class: "round" }, element("div", { class: "user" }, content), element("div", { class: "assistant", "aria-busy": "true" }));
    this.log.append(this.pending);
    this.buttons();
    this.toEnd(true);
  }

  refused(error, requestId) {
    if (this.pending) {
      this.pending.lastElementChild.replaceWith(element("p", { class: "note error" }, error.message || error.code));
      this.pending = null;
    } else if (!requestId.startsWith("watch")) notice(error.message || error.code);
    this.buttons();
  }

  async stop() {
    this.stopButton.disabled = true;
    await chat(`/sessions/${encodeURIComponent(this.sessionId)}/cancel`, { method: "POST" }).catch((error) => notice(error.message));
    this.stopButton.disabled = false;
    this.input.focus();
  }

  async refreshList() {
    const page = await chat("/sessions?limit=100").catch((error) => notice(error.message));
    if (!page) return;
    this.list.replaceChildren(...page.items.map((each) => this.row(each)));
  }

  row(session) {
    const current = session.id === this.sessionId;
    const title = session.title || word("untitled");
    return element("li", {},
      element("a", { href: `#/chat/${session.id}`, "aria-current": current ? "page" : null, title }, title),
      element("button", { class: "icon", "aria-label": `${word("remove")}: ${title}`, onclick: () => this.remove(session.id) }, "×"));
  }

  async remove(id) {
    if (!confirm(word("remove_sure"))) return;
    await chat(`/sessions/${encodeURIComponent(id)}`, { method: "DELETE" }).catch((error) => notice(error.message));
    if (id === this.sessionId) location.hash = "#/chat";
    await this.refreshList();
  }

  key(event) {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    if (!this.active) this.input.form.requestSubmit();
  }

  fit() {
    this.input.style.height = "auto";
    this.input.style.height = `${this.input.scrollHeight + 2}px`;
  }

  nearEnd() {
    return this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < NEAR_END_PX;
  }

  toEnd(follow) {
    if (follow) this.log.scrollTop = this.log.scrollHeight;
  }

  connection(state) {
    document.getElementById("connection").textContent = state ? word(state) : "";
  }
}

const lastUser = (messages) => Math.max(0, messages.map((each) => each.role).lastIndexOf("user"));

function partNode(part, key, open) {
  if (part.kind === "text") return element("div", { class: "assistant" }, ...markdown(part.text));
  if (part.kind === "reasoning") return reasoningNode(part.text, key, open);
  if (part.kind === "error") {
    const stopped = part.code === "CANCELLED";
    return element("p", { class: stopped ? "note" : "note error" }, stopped ? word("stopped") : part.message || part.code);
  }
  return toolNode(part, key, open);
}

function reasoningNode(text, key = "reasoning", open = new Set()) {
  return element("details", { class: "reasoning", "data-key": key, open: open.has(key) }, element("summary", {}, word("reasoning")), element("pre", {}, text));
}

function toolNode(part, key, open) {
  const state = part.result ? (part.result.ok ? "done" : "failed") : "running";
  const duration = part.result?.meta?.duration_ms;
  const summary = element("summary", {}, element("strong", {}, part.tool), " ",
    element("span", { class: state === "failed" ? "bad" : "ok" }, word(state)), duration !== undefined ? ` · ${duration} ms` : "");
  const details = element("details", { class: "tool", "data-key": key, open: open.has(key) }, summary);
  if (part.args !== null) details.append(element("div", { class: "note" }, word("arguments")), element("pre", { tabindex: "0" }, shown(part.args)));
  if (part.result) details.append(element("div", { class: "note" }, word("result")), element("pre", { tabindex: "0" }, shown(part.result.error || part.result.data)));
  return details;
}

const shown = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 2) ?? "");
