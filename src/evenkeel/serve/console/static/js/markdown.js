// A small, safe subset of Markdown, as elements: fences, headings, lists, paragraphs; code, bold, italics, links inside.
import { element } from "./dom.js";

const INLINE = /(`[^`\n]+`)|(\*\*[^*\n]+\*\*)|(\*[^*\n]+\*)|\[([^\]\n]+)\]\((https?:\/\/[^\s)]+)\)/g;

export function markdown(text) {
  const blocks = [];
  const lines = text.split("\n");
  for (let at = 0; at < lines.length; ) at = block(lines, at, blocks);
  return blocks;
}

function block(lines, at, blocks) {
  if (/^\s*```/.test(lines[at])) return fence(lines, at, blocks);
  if (!lines[at].trim()) return at + 1;
  const heading = /^(#{1,4})\s+(.*)$/.exec(lines[at]);
  if (heading) {
    blocks.push(element(`h${heading[1].length + 2}`, {}, ...inline(heading[2])));
    return at + 1;
  }
  if (/^\s*([-*]|\d+[.)])\s+/.test(lines[at])) return list(lines, at, blocks);
  return paragraph(lines, at, blocks);
}

function fence(lines, at, blocks) {
  let end = at + 1;
  while (end < lines.length && !/^\s*```/.test(lines[end])) end += 1;
  blocks.push(element("pre", { tabindex: "0" }, element("code", {}, lines.slice(at + 1, end).join("\n"))));
  return end + 1;
}

function list(lines, at, blocks) {
  const ordered = /^\s*\d/.test(lines[at]);
  const node = element(ordered ? "ol" : "ul");
  let end = at;
  for (; end < lines.length; end += 1) {
    const item = /^\s*([-*]|\d+[.)])\s+(.*)$/.exec(lines[end]);
    if (!item || /^\d/.test(item[1]) !== ordered) break;
    node.append(element("li", {}, ...inline(item[2])));
  }
  blocks.push(node);
  return end;
}

function paragraph(lines, at, blocks) {
  let end = at;
  while (end < lines.length && lines[end].trim() && !/^(\s*```|#{1,4}\s|\s*[-*]\s|\s*\d+[.)]\s)/.test(lines[end])) end += 1;
  end = Math.max(end, at + 1);
  const node = element("p");
  lines.slice(at, end).forEach((line, index) => node.append(...(index ? [element("br")] : []), ...inline(line)));
  blocks.push(node);
  return end;
}

function inline(text) {
  const parts = [];
  let from = 0;
  for (const match of text.matchAll(INLINE)) {
    if (match.index > from) parts.push(text.slice(from, match.index));
    parts.push(marked(match));
    from = match.index + match[0].length;
  }
  if (from < text.length) parts.push(text.slice(from));
  return parts;
}

function marked([whole, code, bold, italic, label, address]) {
  if (code) return element("code", {}, whole.slice(1, -1));
  if (bold) return element("strong", {}, whole.slice(2, -2));
  if (italic) return element("em", {}, whole.slice(1, -1));
  return element("a", { href: address, rel: "noopener noreferrer", target: "_blank" }, label);
}
