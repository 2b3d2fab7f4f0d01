// Line charts as SVG: a few series over the same minutes.
import { element } from "./dom.js";
import { word } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [340, 130, 40, 18, 8];

function shape(tag, attributes, text) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

export const figure = (value) => {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (value >= 10000) return `${(value / 1000).toFixed(0)}k`;
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value === 0 ? "0" : value.toFixed(2);
};

// `series` = [{word, values: [number | null …]}], all of one length, newest last; `seconds` = what the width stands for.
export function chart(title, series, seconds) {
  const known = series.flatMap((each) => each.values).filter((value) => value !== null && Number.isFinite(value));
  const top = niceTop(Math.max(0, ...known));
  const svg = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": summary(title, series) });
  axes(svg, top, seconds);
  series.forEach((each, index) => line(svg, each.values, top, index));
  const legend = series.map((each, index) =>
    element("span", {}, swatch(index), word(each.word), " ", element("b", {}, figure(each.values[each.values.length - 1]))));
  const hint = known.length ? null : element("span", {}, word("no_data"));
  return element("section", { class: "panel" }, element("h2", {}, title), svg, element("div", { class: "legend" }, ...legend, hint));
}

function swatch(index) {
  const box = element("span", { class: "swatch" });
  box.style.background = `var(--s${index + 1})`;
  return box;
}

function summary(title, series) {
  const parts = series.map((each) => `${word(each.word)} ${figure(each.values[each.values.length - 1])}`);
  return `${title}: ${parts.join(", ")}`;
}

function niceTop(value) {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value);
}

function axes(svg, top, seconds) {
  const floor = HEIGHT - BOTTOM;
  for (const [y, label] of [[floor, "0"], [(floor + TOP) / 2, figure(top / 2)], [TOP, figure(top)]]) {
    svg.append(shape("line", { class: "axis", x1: LEFT, x2: WIDTH, y1: y, y2: y }));
    svg.append(shape("text", { x: LEFT - 6, y: y + 4, "text-anchor": "end" }, label));
  }
  svg.append(shape("text", { x: LEFT, y: HEIGHT - 4 }, `−${Math.round(seconds / 60)} min`));
}

function line(svg, values, top, index) {
  const floor = HEIGHT - BOTTOM;
  const step = (WIDTH - LEFT) / Math.max(1, values.length - 1);
  let path = "";
  let pen = "M";
  values.forEach((value, at) => {
    if (value === null || !Number.isFinite(value)) return (pen = "M");
    path += `${pen}${(LEFT + at * step).toFixed(1)} ${(floor - (Math.min(value, top) / top) * (floor - TOP)).toFixed(1)}`;
    pen = "L";
  });
  if (path) svg.append(shape("path", { d: path, fill: "none", stroke: `var(--s${index + 1})`, "stroke-width": 2 }));
}
