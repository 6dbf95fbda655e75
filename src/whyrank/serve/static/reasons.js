// Reasons as elements: why a hit is here, why it is above another, what would turn it.

import { clipped, el, ornament, unseen } from "./dom.js";
import { bar, counted, diverging, number, scale, signed, stacked, swatch } from "./figures.js";

const EVIDENCE_SHOWN = 8;
const WORDS_SHOWN = 5;
const DIFFERENCES_SHOWN = 6;
const COLOURS = 6;

/** What a person calls a document. */
export function named(document) {
  return document.title ? clipped(document.title, 80) : `document ${clipped(document.id, 40)}`;
}

/** The sentences that direct reasons show, in order: their numbers run through all of them. */
export function quoted(directs) {
  return directs.flatMap((direct) => direct.evidence.slice(0, EVIDENCE_SHOWN));
}

/** The sentences that carry a place, and what its score is made of; `before` sentences are numbered already. */
export function madeOf(direct, before) {
  const evidence = quoted([direct]);
  const line = scale(evidence.map((item) => item.contribution));
  const items = evidence.map((item, place) => sentence(item, before + place + 1, line, direct));
  const parts = [
    ...sums(
      direct.terms,
      (term) => term.part,
      (term) => term.value,
    ),
  ].filter(([, value]) => value);
  const colours = parts.map(([, value], place) => [`p${Math.min(place + 1, COLOURS)}`, value]);
  const legend = parts.map(([name, value], place) =>
    el("li", {}, swatch(colours[place][0]), el("span", {}, name), el("span", { class: "v" }, signed(value))),
  );
  const title = direct.score === null ? "What the place is made of" : "What the score is made of";
  const sum = parts.length
    ? [el("div", { class: "parts" }, el("h4", { class: "label" }, title), stacked(colours), el("ul", {}, legend))]
    : [];
  const kind = direct.source ? "evidence quotes" : "evidence";
  return [...(items.length ? [el("ol", { class: kind }, items)] : []), ...sum, ...byline(direct)];
}

/** A comparison: its words, the margin taken apart, and what would turn it. */
export function above(comparison, names, rankWithout) {
  const said = comparison.text ? [el("p", { dir: "auto" }, comparison.text)] : [];
  return [
    ...said,
    ...quotes(comparison, names),
    ...differences(comparison, names),
    ...turned(comparison, names, rankWithout),
    ...byline(comparison),
  ];
}

/** What would turn a comparison, in words; `rank` is where the upper one would fall to. */
export function turning(found, names, rank) {
  if (found.status === "impossible") {
    return `Nothing turns it: whichever sentences are removed, it still stands above ${names.lower}.`;
  }
  if (found.status === "unknown") {
    return `What would turn it is not known: the search ended after ${counted(found.rescored, "re-scored version")}.`;
  }
  const one = found.quotes.length === 1;
  const these = one ? `“${clipped(found.quotes[0], 400)}”` : `the ${found.quotes.length} underlined sentences`;
  const fewer = one || !found.minimal ? "" : " Fewer do not.";
  return `Without ${these} it would fall to rank ${rank}.${fewer}`;
}

/** Where a hit would stand with another score: the other scores stay as they are. */
export function rankWith(score, hit, results) {
  const others = results.filter((other) => other.id !== hit.id && other.score !== null);
  const better = others.filter(
    (other) => other.score > score || (other.score === score && other.first_rank < hit.first_rank),
  );
  return better.length + 1;
}

function turned(comparison, names, rankWithout) {
  const found = comparison.counterfactual;
  if (!found) return [];
  const isQuoted = found.quotes.length === 1;
  const struck = (isQuoted ? [] : found.quotes).map((quote) =>
    el("blockquote", { dir: "auto" }, el("del", {}, clipped(quote, 400))),
  );
  const words = el("p", { dir: "auto" }, turning(found, names, rankWithout));
  return [el("div", { class: found.status === "flips" ? "turn flips" : "turn" }, words, struck)];
}

function sentence(item, place, line, direct) {
  const label = el("span", { class: "n" }, unseen("Sentence "), String(place));
  const lost = item.span === null ? [el("span", { class: "lost" }, "not found in the document: ")] : [];
  if (direct.source || lost.length) {
    const quote = el("q", { dir: "auto" }, clipped(item.quote, 300));
    return el("li", { "data-n": String(place) }, label, el("span", {}, lost, quote));
  }
  const value = item.contribution === null ? "" : item.contribution === 0 ? "also" : signed(item.contribution);
  const drawn = item.contribution === null ? el("span", { class: "no-bar" }) : bar(line, item.contribution, "for");
  const pointed = isSame(item.span, direct.pointed)
    ? [ornament("☞ "), unseen("the student points at this sentence: ")]
    : [];
  const terms = el("bdi", { class: "terms" }, pointed, item.query_terms.slice(0, WORDS_SHOWN).join(", "));
  return el("li", { "data-n": String(place) }, label, el("span", { class: "v" }, value), drawn, terms);
}

function quotes(comparison, names) {
  const item = (name) => (evidence) =>
    el("li", {}, el("span", { class: "n" }, name), el("q", { dir: "auto" }, clipped(evidence.quote, 300)));
  const items = [
    ...comparison.upper_evidence.map(item(names.upper)),
    ...comparison.lower_evidence.map(item(names.lower)),
  ];
  return items.length ? [el("ul", { class: "evidence quotes" }, items)] : [];
}

function differences(comparison, names) {
  const subject = (own) => own.query_term ?? own.part;
  const upper = sums(comparison.differences, subject, (own) => own.upper);
  const lower = sums(comparison.differences, subject, (own) => own.lower);
  const words = new Set(comparison.differences.flatMap((own) => (own.query_term === null ? [] : [own.query_term])));
  const rows = [...upper].map(([name, value]) => ({
    name,
    upper: value,
    lower: lower.get(name),
    value: value - lower.get(name),
  }));
  rows.sort((one, other) => Math.abs(other.value) - Math.abs(one.value));
  if (!rows.length) return [];
  const keep = rows.length <= DIFFERENCES_SHOWN + 1 ? rows.length : DIFFERENCES_SHOWN;
  const largest = Math.abs(rows[0].value) || 1;
  const body = rows
    .slice(0, keep)
    .map((row) =>
      el(
        "tr",
        {},
        el("th", { scope: "row" }, words.has(row.name) ? el("b", {}, row.name) : row.name),
        el("td", { class: "bar" }, diverging(row.value / largest)),
        el("td", { class: "n" }, signed(row.value)),
        el("td", { class: "n side" }, number(row.upper)),
        el("td", { class: "n side" }, number(row.lower)),
      ),
    );
  const caption = `Ahead by ${number(comparison.margin)}. Right of the line: for ${names.upper}. Left: for ${names.lower}.`;
  return [
    el(
      "table",
      { class: "differences" },
      el("caption", {}, caption),
      head(),
      el("tbody", {}, body),
      ...rest(rows.slice(keep)),
    ),
  ];
}

function head() {
  const title = (words, kind) => el("th", { scope: "col", class: kind }, words);
  const first = el("th", { scope: "col" }, unseen("Query word or part"));
  return el(
    "thead",
    {},
    el("tr", {}, first, el("td"), title("difference", "n"), title("upper", "n side"), title("lower", "n side")),
  );
}

function rest(rows) {
  if (!rows.length) return [];
  const sum = rows.reduce((total, row) => total + row.value, 0);
  const label = el("th", { scope: "row" }, counted(rows.length, "smaller one"));
  const side = () => el("td", { class: "side" });
  return [el("tfoot", {}, el("tr", {}, label, el("td"), el("td", { class: "n" }, signed(sum)), side(), side()))];
}

function byline(reason) {
  return reason.source ? [el("p", { class: "by" }, "Written by ", el("bdi", {}, reason.source), ".")] : [];
}

function isSame(one, other) {
  return Boolean(one && other && one.field === other.field && one.start === other.start && one.end === other.end);
}

function sums(items, key, value) {
  const found = new Map();
  for (const item of items) found.set(key(item), (found.get(key(item)) ?? 0) + value(item));
  return found;
}
