// Two orders side by side, with a line from each place to the other.

import { el, ornament, svg, unseen } from "./dom.js";
import { named } from "./reasons.js";

export const ROW = 36;
const WIDTH = 100;
export const MOST = 50;

/** `left` and `right` are {name, ids}, best first, of the same documents; `onChoose` is given a document's id. */
export function sideBySide(left, right, documents, onChoose) {
  const rows = Math.min(left.ids.length, MOST);
  const ids = [left.ids.slice(0, rows), right.ids.slice(0, rows)];
  const height = rows * ROW;
  const drawing = svg("svg", { viewBox: `0 0 ${WIDTH} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" });
  drawing.style.height = `${height}px`;
  drawing.append(...ids[0].flatMap((id, place) => line(id, place, ids[1].indexOf(id))));
  const columns = [column(left, ids[0], right, documents, onChoose), column(right, ids[1], left, documents, onChoose)];
  const element = el(
    "section",
    { class: "orders", "aria-label": `${left.name} beside ${right.name}` },
    columns[0],
    drawing,
    columns[1],
  );
  for (const event of ["pointerover", "focusin"])
    element.addEventListener(event, ({ target }) => light(element, target));
  for (const event of ["pointerleave", "focusout"]) element.addEventListener(event, () => light(element, null));
  return element;
}

function column(own, ids, other, documents, onChoose) {
  const items = ids.map((id, place) => {
    const there = other.ids.indexOf(id) + 1;
    const where = unseen(`, place ${there} by ${other.name}`);
    const rank = el("span", { class: "n" }, String(place + 1), ornament(" "));
    const button = el(
      "button",
      { type: "button", "data-id": id },
      rank,
      el("bdi", {}, named(documents.get(id))),
      where,
    );
    button.addEventListener("click", () => onChoose(id));
    return el("li", {}, button);
  });
  return el("div", {}, el("h3", { class: "label" }, own.name), el("ol", {}, items));
}

function line(id, from, to) {
  if (to < 0) return [];
  const kind = to < from ? "rises" : to > from ? "falls" : "stays";
  const [start, end] = [from * ROW + ROW / 2, to * ROW + ROW / 2];
  const path = `M0 ${start}C${WIDTH / 2} ${start} ${WIDTH / 2} ${end} ${WIDTH} ${end}`;
  return [svg("path", { d: path, class: kind, "data-id": id, "vector-effect": "non-scaling-stroke" })];
}

function light(element, target) {
  const id = target?.closest("[data-id]")?.dataset.id;
  for (const own of element.querySelectorAll("[data-id]")) own.classList.toggle("lit", own.dataset.id === id);
}
