// Numbers as the reports of whyrank show them, and the bars beside them. Pure but for the elements.

import { svg } from "./dom.js";

const MINUS = "−";

/** Three decimals for small values, fewer for large ones; a dash where there is none. */
export function number(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  const decimals = size < 10 ? 3 : size < 100 ? 2 : 1;
  const text = size >= 100000 ? size.toExponential(2) : size.toFixed(decimals);
  return (value < 0 && Number(text) ? MINUS : "") + text;
}

/** The number with its sign. */
export function signed(value) {
  const text = number(value);
  return value > 0 && Number(text) ? `+${text}` : text;
}

/** A count and its noun. */
export function counted(count, noun) {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}

/** What a result cost, in words; what it did not use is left out. */
export function spent(usage) {
  const generated = usage.generated_tokens;
  const said = [];
  if (usage.prompt_tokens) said.push(`${counted(usage.prompt_tokens, "token")} read`);
  if (generated) said.push(counted(generated, "generated token"));
  if (usage.seconds) said.push(seconds(usage.seconds));
  if (usage.cost === null) said.push("cost unknown");
  else if (usage.cost > 0) said.push(usage.cost < 0.0001 ? "less than $0.0001" : `$${usage.cost.toFixed(4)}`);
  return said.join(" · ");
}

/** A length of time. */
export function seconds(length) {
  return length < 0.1 ? `${length.toFixed(3)} s` : `${length.toFixed(2)} s`;
}

/** A line that holds zero and every value: lengths on it compare honestly. */
export function scale(values) {
  const known = values.filter((value) => value !== null);
  const low = Math.min(0, ...known);
  const high = Math.max(0, ...known);
  const share = (value) => (high > low && value !== null ? Math.abs(value) / (high - low) : 0);
  return { low, high, share, zero: high > low ? -low / (high - low) : 0 };
}

/** One bar from zero to the value. */
export function bar(line, value, kind = "fill") {
  const share = line.share(value);
  const left = value < 0 ? line.zero - share : line.zero;
  const axis = line.low < 0 && line.high > 0 ? [rect("axis", line.zero, null)] : [];
  return drawing(rect("track", 0, 1), rect(kind, left, share), ...axis);
}

/** A bar from the middle: right for positive shares (at most 1), left for negative ones. */
export function diverging(share) {
  const length = Math.min(Math.abs(share), 1) / 2;
  const from = share >= 0 ? rect("for", 0.5, length) : rect("against", 0.5 - length, length);
  return drawing(from, rect("axis", 0.5, null));
}

/** Values end to end, [class, value] each: positive ones right of zero, negative ones left of it. */
export function stacked(values) {
  const total = values.reduce((sum, [, value]) => sum + Math.abs(value), 0);
  if (!total) return drawing(rect("track", 0, 1));
  const ordered = [...values.filter(([, value]) => value < 0), ...values.filter(([, value]) => value > 0)];
  const zero = values.reduce((sum, [, value]) => sum + Math.max(-value, 0), 0) / total;
  let left = 0;
  const parts = ordered.map(([kind, value]) => {
    const own = rect(kind, left, Math.abs(value) / total);
    left += Math.abs(value) / total;
    return own;
  });
  return drawing(...parts, ...(zero ? [rect("axis", zero, null)] : []));
}

/** A square of one colour for a legend. */
export function swatch(kind) {
  return drawing(rect(kind, 0, 1));
}

function drawing(...parts) {
  return svg("svg", { "aria-hidden": "true", focusable: "false" }, parts);
}

function rect(kind, left, width) {
  const size = width === null ? "1" : percent(width);
  return svg("rect", { class: kind, x: percent(Math.max(left, 0)), width: size, height: "100%" });
}

function percent(share) {
  return `${(100 * share).toFixed(2)}%`;
}
