// Elements. Foreign text enters a page only as a text node: there is no other way in these modules.

const SVG = "http://www.w3.org/2000/svg";
const BREAKS = /\r\n?|[\u000b\u000c\u0085\u2028\u2029]/g;
// What could act on a page's layout or hide text from eyes is drawn instead, as whyrank.report.visible draws it.
const ACTIVE =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u206f\ufff9-\ufffb\ud800-\udfff\u{e0000}-\u{e0fff}]/gu;

/** Foreign text, made harmless and still honest. Its length may change: cut spans out first. */
export function visible(text) {
  return text.replace(BREAKS, "\n").replace(ACTIVE, drawn);
}

/** Text on one line, at most `limit` characters long, cut at a word's end. */
export function clipped(text, limit) {
  const near = text.slice(0, 4 * limit + 64);
  const line = near.replace(/\s+/g, " ").trim();
  if (line.length <= limit && near.length === text.length) return line;
  const head = line.slice(0, limit - 1);
  const cut = head.lastIndexOf(" ");
  return (cut > limit / 2 ? head.slice(0, cut) : head).trimEnd() + "…";
}

/** An element with attributes and children; a child that is a string becomes a text node, null is passed over. */
export function el(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** The same in SVG. */
export function svg(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

/** Words that only a screen reader says. */
export function unseen(text) {
  return el("span", { class: "sr" }, text);
}

/** What eyes see and a screen reader does not say. */
export function ornament(text) {
  return el("span", { "aria-hidden": "true" }, text);
}

/** The element of an id in the page. */
export function at(id) {
  return document.getElementById(id);
}

function filled(made, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) if (value !== null) made.setAttribute(key, value);
  for (const child of children.flat()) {
    if (child !== null) made.append(typeof child === "string" ? visible(child) : child);
  }
  return made;
}

function drawn(character) {
  const code = character.codePointAt(0);
  if (code < 0x20) return String.fromCodePoint(0x2400 + code);
  if (code === 0x7f) return "␡";
  const digits = code.toString(16);
  if (code <= 0xff) return `\\x${digits.padStart(2, "0")}`;
  return code <= 0xffff ? `\\u${digits.padStart(4, "0")}` : `\\U${digits.padStart(8, "0")}`;
}
