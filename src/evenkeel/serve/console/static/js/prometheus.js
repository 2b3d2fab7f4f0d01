// Prometheus text to samples, sums, rates and quantiles. Pure.
const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

export function parse(text) {
  const samples = new Map();
  for (const line of text.split("\n")) {
    const match = line.startsWith("#") ? null : LINE.exec(line);
    if (!match) continue;
    const labels = {};
    for (const [, name, value] of (match[2] || "").matchAll(LABEL)) labels[name] = value;
    if (!samples.has(match[1])) samples.set(match[1], []);
    samples.get(match[1]).push({ labels, value: Number(match[3]) });
  }
  return samples;
}

const fits = (labels, wanted) =>
  Object.entries(wanted).every(([name, value]) => (Array.isArray(value) ? value.includes(labels[name]) : labels[name] === value));

export function sum(samples, name, wanted = {}) {
  const found = (samples.get(name) || []).filter((each) => fits(each.labels, wanted));
  return found.length ? found.reduce((total, each) => total + each.value, 0) : null;
}

export function rate(now, before, seconds, name, wanted = {}) {
  const [after, earlier] = [sum(now, name, wanted), sum(before, name, wanted)];
  return after === null || seconds <= 0 ? null : Math.max(0, after - (earlier || 0)) / seconds;
}

function buckets(samples, name, wanted) {
  const totals = new Map();
  for (const { labels, value } of samples.get(`${name}_bucket`) || []) {
    if (fits(labels, wanted)) totals.set(Number(labels.le.replace("+Inf", "Infinity")), (totals.get(Number(labels.le.replace("+Inf", "Infinity"))) || 0) + value);
  }
  return totals;
}

// The quantile of what was observed between two scrapes, linear within a bucket; null when nothing was.
export function quantile(now, before, q, name, wanted = {}) {
  const [after, earlier] = [buckets(now, name, wanted), buckets(before, name, wanted)];
  const bounds = [...after.keys()].sort((a, b) => a - b);
  const counts = bounds.map((bound) => after.get(bound) - (earlier.get(bound) || 0));
  const total = counts[counts.length - 1];
  if (!total || total <= 0) return null;
  const at = counts.findIndex((count) => count >= q * total);
  const [low, high] = [at ? bounds[at - 1] : 0, bounds[at]];
  if (high === Infinity) return low;
  const [under, over] = [at ? counts[at - 1] : 0, counts[at]];
  return low + ((high - low) * (q * total - under)) / Math.max(1e-9, over - under);
}
