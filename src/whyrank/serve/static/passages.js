// A document's text with its evidence marked in place. Offsets of the server are code points.

import { el } from "./dom.js";

const MOST_SHOWN = 30000;
const UNWEIGHED = 0.5;

/** The evidence [start, end) of a field that can be marked; `number` is its place in the reason, from 1. */
export function marksIn(field, evidence) {
  const largest = Math.max(0, ...evidence.map((item) => Math.abs(item.contribution ?? 0)));
  return evidence.flatMap((item, place) => {
    if (item.span === null || item.span.field !== field) return [];
    const value = item.contribution;
    const strength = value === null || !largest ? UNWEIGHED : Math.abs(value) / largest;
    return [{ start: item.span.start, end: item.span.end, strength, number: place + 1, against: value < 0 }];
  });
}

/** Text nodes and marks; `removed` are spans whose absence would turn a comparison. */
export function marked(text, marks, removed = []) {
  const points = Array.from(text.slice(0, 2 * MOST_SHOWN)).slice(0, MOST_SHOWN);
  const end = points.length;
  const inside = marks.filter((mark) => mark.start < mark.end && mark.end <= end);
  const edges = [...inside, ...removed].flatMap((span) => [span.start, span.end]).filter((edge) => edge <= end);
  const cuts = [...new Set([0, end, ...edges])].sort((one, other) => one - other);
  const found = cuts.slice(1).map((right, place) => piece(points, cuts[place], right, inside, removed));
  const cut = end < text.length && Array.from(text).length > end;
  return cut ? [...found, el("span", { class: "cut" }, " … the rest is left out")] : found;
}

function piece(points, start, end, marks, removed) {
  const words = points.slice(start, end).join("");
  const isIn = (span) => span.start <= start && end <= span.end;
  const own = marks.filter(isIn).sort((one, other) => other.strength - one.strength || one.number - other.number)[0];
  const turns = removed.some(isIn) ? " turns" : "";
  if (!own) return turns ? el("span", { class: "turns" }, words) : el("span", {}, words);
  const level = own.against ? "neg" : `s${Math.min(Math.floor(own.strength * 4) + 1, 4)}`;
  const last = own.end === end ? String(own.number) : null;
  return el("mark", { class: level + turns, "data-n": String(own.number), "data-ends": last }, words);
}
