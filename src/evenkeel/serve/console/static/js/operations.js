// The operations page: queues, streams, latency, storage and process over the last minutes, and the switches.
import { call, send } from "./api.js";
import { chart } from "./charts.js";
import { element } from "./dom.js";
import { parse, quantile, rate, sum } from "./prometheus.js";
import { word } from "./words.js";

const EVERY_MS = 2000;
const KEPT = 150;

const FIRST_EVENT = "evenkeel_api_first_event_seconds";
const LAG = "evenkeel_process_lag_seconds";
const gauge = (name, labels) => (now) => sum(now, name, labels);
const perSecond = (name, labels) => (now, before, seconds) => rate(now, before, seconds, name, labels);
const milliseconds = (q, name, labels) => (now, before) => {
  const value = quantile(now, before, q, name, labels);
  return value === null ? null : value * 1000;
};
const scaled = (factor, read) => (...scrape) => {
  const value = read(...scrape);
  return value === null ? null : value * factor;
};

const PANELS = [
  ["queues", {
    tasks_waiting: gauge("evenkeel_tasks_queue_items", { state: "waiting" }),
    tasks_running: gauge("evenkeel_tasks_queue_items", { state: "running" }),
    outbox_waiting: gauge("evenkeel_outbox_queue_items"),
    writes_waiting: gauge("evenkeel_writes_waiting_items"),
  }],
  ["streams", {
    sockets: gauge("evenkeel_api_streams_items", { channel: "ws" }),
    sse: gauge("evenkeel_api_streams_items", { channel: "sse" }),
    sessions_active: gauge("evenkeel_limiter_sessions_items", { state: "active" }),
  }],
  ["latency", {
    p50: milliseconds(0.5, FIRST_EVENT),
    p95: milliseconds(0.95, FIRST_EVENT),
    p99: milliseconds(0.99, FIRST_EVENT),
  }],
  ["events", {
    published: perSecond("evenkeel_events_published_total"),
    delivered: perSecond("evenkeel_events_delivered_total"),
    backfill: perSecond("evenkeel_events_reads_total", { purpose: "backfill" }),
  }],
  ["storage", {
    statements: perSecond("evenkeel_storage_call_seconds_count"),
    rows: perSecond("evenkeel_storage_rows_written_total"),
  }],
  ["process", { memory: scaled(1 / 1048576, gauge("evenkeel_process_resident_bytes")) }],
  ["loop", { threads: gauge("evenkeel_process_threads_items"), tasks: gauge("evenkeel_process_tasks_items"), lag: milliseconds(0.99, LAG) }],
];

export function operationsPage(main) {
  return new OperationsPage(main);
}

class OperationsPage {
  constructor(main) {
    this.history = new Map();
    this.grid = element("div", { class: "grid" });
    this.switches = element("div", { class: "panel table-wrap" });
    this.state = element("p", { class: "note", role: "status" });
    main.replaceChildren(element("div", { class: "operations" }, element("h1", {}, word("operations")), this.state, this.grid, this.switches));
    this.look();
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
  }

  async look() {
    try {
      const [metrics, health] = await Promise.all([send("/metrics"), call("/health/ready")]);
      this.take(parse(await metrics.text()), performance.now() / 1000);
      this.drawSwitches(health);
      this.state.textContent = "";
    } catch (error) {
      this.state.textContent = [401, 403].includes(error.status) ? word("forbidden_operations") : error.message;
    }
    if (!this.closed) this.timer = setTimeout(() => this.look(), EVERY_MS);
  }

  take(now, at) {
    const before = this.before || now;
    const seconds = at - (this.at || at);
    const panels = PANELS.map(([title, lines]) => {
      const series = Object.entries(lines).map(([name, read]) => ({ word: name, values: this.keep(`${title}.${name}`, read(now, before, seconds)) }));
      return chart(word(title), series, (KEPT * EVERY_MS) / 1000);
    });
    this.grid.replaceChildren(...panels);
    this.before = now;
    this.at = at;
  }

  keep(key, value) {
    if (!this.history.has(key)) this.history.set(key, new Array(KEPT).fill(null));
    const values = this.history.get(key);
    values.push(value);
    values.shift();
    return values;
  }

  drawSwitches(health) {
    const rows = Object.entries(health.switches?.switches || health.switches || {}).map(([name, each]) =>
      element("tr", {}, element("th", { scope: "row" }, name),
        element("td", {}, element("span", { class: `pill ${each.path}` }, each.path === "split" ? `${each.optimised_percent} %` : each.path)),
        element("td", {}, each.does)));
    const head = element("tr", {}, ...["part", "path", "does"].map((each) => element("th", { scope: "col" }, word(each))));
    this.switches.replaceChildren(element("h2", {}, word("switches")), element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows)));
  }
}
