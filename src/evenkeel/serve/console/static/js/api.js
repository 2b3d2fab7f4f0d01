// The HTTP side of the API: every call answers its data or throws an ApiError with the server's code.
import { language, word } from "./words.js";

const TOKEN = "evenkeel.token";

export class ApiError extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export const token = () => localStorage.getItem(TOKEN) || "";
export const keepToken = (value) => (value ? localStorage.setItem(TOKEN, value) : localStorage.removeItem(TOKEN));

export async function send(path, options = {}) {
  const headers = { "x-wunder-language": language(), ...options.headers };
  if (token()) headers.authorization = `Bearer ${token()}`;
  if (options.body !== undefined) headers["content-type"] = "application/json";
  const body = options.body === undefined ? undefined : JSON.stringify(options.body);
  let response;
  try {
    response = await fetch(path, { ...options, headers, body });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "NETWORK", word("network"));
  }
  if (response.ok) return response;
  const data = await response.json().catch(() => null);
  const error = (data && data.error) || {};
  const hint = error.hint && error.hint !== error.message ? ` ${error.hint}` : "";
  throw new ApiError(response.status, error.code || "ERROR", (error.message || response.statusText) + hint);
}

export async function call(path, options) {
  const data = await (await send(path, options)).json();
  return data && typeof data === "object" && "data" in data ? data.data : data;
}

export const chat = (path, options) => call(`/wunder/chat${path}`, options);

// Server-sent events of one response, as {event, id, data}, until it ends.
export async function* eventsOf(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const fields = {};
      for (const line of block.split("\n")) {
        const at = line.indexOf(":");
        if (at > 0) fields[line.slice(0, at)] = line.slice(at + 1).trimStart();
      }
      if (fields.data) yield { event: fields.event, id: fields.id || null, data: JSON.parse(fields.data) };
    }
  }
}
