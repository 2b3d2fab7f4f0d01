// Events to rounds: a pure reducer. Whatever arrives twice, or again after a reload, changes nothing the second time.
export const newState = () => ({ lastId: 0, roundStart: 0, rounds: new Map(), queued: false, lost: false });

const newRound = (number) => ({
  number, question: "", models: new Map(), tools: [], answer: null, error: null, usage: null, ended: false,
});

const newModel = () => ({ text: "", reasoning: "", settled: false });

// Answers whether the event changed anything. `event` = {event, id, data: {data}}.
export function apply(state, event) {
  const id = event.id ? Number(event.id) : 0;
  const before = state.lastId;
  if (id && id <= before) return false;
  if (id) state.lastId = id;
  const data = event.data && event.data.data !== undefined ? event.data.data : event.data || {};
  if (event.event === "queued") return (state.queued = true);
  if (event.event === "queue_start") return !(state.queued = false);
  if (event.event === "history_lost") return (state.lost = true);
  if (event.event === "progress" && data.stage === "start") return start(state, data, id);
  const round = roundOf(state, data);
  if (!round) return false;
  const change = CHANGES[event.event];
  return change ? change(round, data, before) !== false : false;
}

function start(state, data, id) {
  state.queued = false;
  state.roundStart = Math.max(0, id - 1);
  const number = data.user_round || state.rounds.size + 1;
  const round = state.rounds.get(number) || newRound(number);
  round.question = data.question || round.question;
  round.ended = false;
  state.rounds.set(number, round);
  return true;
}

function roundOf(state, data) {
  if (data.user_round) {
    if (!state.rounds.has(data.user_round)) state.rounds.set(data.user_round, newRound(data.user_round));
    return state.rounds.get(data.user_round);
  }
  return [...state.rounds.values()].pop();
}

function modelOf(round, number) {
  if (!round.models.has(number)) round.models.set(number, newModel());
  return round.models.get(number);
}

function addDelta(round, data) {
  const model = modelOf(round, data.model_round || 0);
  if (model.settled) return false;
  model.text += data.delta || "";
  model.reasoning += data.reasoning_delta || "";
  return true;
}

const CHANGES = {
  llm_request(round, data) {
    round.models.set(data.model_round || 0, newModel()); // a request that is repeated begins its text anew
  },
  llm_output_delta(round, data, before) {
    if (!data.segments) return addDelta(round, data);
    for (const segment of data.segments) {
      if (segment.event_id > before) addDelta(round, { ...data, ...segment });
    }
    return true;
  },
  llm_output(round, data) {
    const model = modelOf(round, data.model_round || 0);
    Object.assign(model, { text: data.content || "", reasoning: data.reasoning || model.reasoning, settled: true });
  },
  tool_call(round, data) {
    round.tools.push({ tool: data.tool, args: data.args, model: data.model_round || 0, result: null });
  },
  tool_result(round, data) {
    const open = round.tools.find((each) => each.tool === data.tool && !each.result && each.model === (data.model_round || each.model));
    const result = { ok: data.ok !== false, data: data.data, error: data.error, meta: data.meta };
    if (open) open.result = result;
    else round.tools.push({ tool: data.tool, args: null, model: data.model_round || 0, result });
  },
  final(round, data) {
    Object.assign(round, { answer: data.answer || "", usage: data.round_usage || data.usage || null, ended: true });
  },
  error(round, data) {
    Object.assign(round, { error: { code: data.code, message: data.message }, ended: true });
  },
};

// What is shown of a round: its texts and tools in order; the final answer stands for the last text.
export function view(round) {
  const parts = [];
  const numbers = [...new Set([...round.models.keys(), ...round.tools.map((each) => each.model)])].sort((a, b) => a - b);
  for (const number of numbers) {
    const model = round.models.get(number);
    if (model && model.reasoning) parts.push({ kind: "reasoning", text: model.reasoning });
    if (model && model.text.trim()) parts.push({ kind: "text", text: model.text });
    for (const tool of round.tools.filter((each) => each.model === number)) parts.push({ kind: "tool", ...tool });
  }
  if (round.answer !== null) settleAnswer(parts, round.answer);
  if (round.error) parts.push({ kind: "error", ...round.error });
  return parts;
}

function settleAnswer(parts, answer) {
  const last = parts.length ? parts[parts.length - 1] : null;
  if (last && last.kind === "text") last.text = answer || last.text;
  else if (answer) parts.push({ kind: "text", text: answer });
}
