// One hit as a card. Room for its reason is kept from the start, so that nothing moves when it comes.

import { clipped, el, ornament, unseen } from "./dom.js";
import { bar, number } from "./figures.js";
import { marked, marksIn } from "./passages.js";
import { above, madeOf, named, rankWith, turning } from "./reasons.js";

/** How a hit moved from its first place. */
export function moved(rank, first) {
  const places = first - rank;
  if (!places) return el("span", { class: "move" }, ornament("·"), unseen(" not moved"));
  const kind = places > 0 ? "up" : "down";
  const words = unseen(` ${kind} from place ${first}`);
  const sign = ornament(places > 0 ? "▲ " : "▼ ");
  return el("span", { class: `move ${kind}`, title: `was ${first}` }, sign, String(Math.abs(places)), words);
}

/** A card that reasons can be told to.
 *
 * `hit` is a result with its `document`; `line` the scale of all scores; `awaits` whether reasons are coming.
 */
export class Card {
  constructor(hit, rank, line, awaits, onPick) {
    this.hit = hit;
    this.rank = rank;
    const id = `hit-${rank}`;
    this.title = el("h3", { id, dir: "auto" }, named(hit.document));
    this.text = el("div", {
      class: "doc",
      dir: "auto",
      tabindex: "0",
      role: "group",
      "aria-label": `Text of rank ${rank}`,
    });
    this.text.append(...marked(hit.document.text, []));
    if (!hit.document.text.trim()) this.text.replaceChildren(el("span", { class: "cut" }, "No text."));
    this.pick = el("input", { type: "checkbox", "aria-label": `Pick rank ${rank} for a comparison` });
    this.pick.addEventListener("change", () => onPick(this));
    this.why = awaits
      ? el(
          "section",
          { class: "why waits", "aria-busy": "true" },
          label("Why it is here"),
          reserved("reason"),
          reserved("turning"),
        )
      : null;
    this.folds = el("div", { class: "folds" });
    this.element = el("li", {}, this.#article(id, line));
  }

  /** Show its reasons; `results` are all of the ranking, best first. */
  tell({ direct, comparison }, results) {
    const [, reason, turn] = this.why.children;
    this.why.removeAttribute("aria-busy");
    this.why.classList.remove("waits");
    if (direct) {
      this.#mark(direct, comparison?.counterfactual?.removed ?? []);
      reason.replaceChildren(el("span", { dir: "auto" }, direct.text));
      this.folds.append(fold("The numbers", madeOf(direct)));
    }
    if (comparison) this.#compare(comparison, results, turn);
    else if (this.rank === results.length) turn.replaceChildren(el("span", {}, "It is the last."));
    this.#light();
  }

  /** Nothing more comes. */
  close() {
    if (!this.why?.classList.contains("waits")) return;
    this.why.classList.remove("waits");
    this.why.removeAttribute("aria-busy");
    this.why.children[1].replaceChildren(el("span", { class: "soft" }, "No reason was given."));
  }

  #article(id, line) {
    const { hit, rank } = this;
    const place = el(
      "div",
      { class: "place" },
      el("span", { class: "rank" }, unseen("Rank "), String(rank)),
      moved(rank, hit.first_rank),
    );
    const known = hit.document.title ? [el("bdi", { class: "id" }, clipped(hit.document.id, 60))] : [];
    const score = el(
      "div",
      { class: "score" },
      unseen("Score "),
      el("b", {}, number(hit.score)),
      line.high > 0 ? bar(line, hit.score) : null,
    );
    const top = el("div", { class: "top" }, el("div", { class: "title" }, this.title, ...known), score);
    const cut = hit.cut
      ? [el("p", { class: "aside" }, `Its last ${hit.cut.toLocaleString("en")} characters were not read.`)]
      : [];
    const pick = el("label", { class: "pick" }, this.pick, " Compare");
    const body = el("div", {}, top, this.text, ...cut, this.why, el("div", { class: "foot" }, this.folds, pick));
    return el("article", { class: "hit", "aria-labelledby": id }, place, body);
  }

  #mark(direct, removed) {
    const inText = removed.filter((span) => span.field === "text");
    this.text.replaceChildren(...marked(this.hit.document.text, marksIn("text", direct.evidence), inText));
    const first = this.text.querySelector(".s4") ?? this.text.querySelector("mark");
    if (first) this.text.scrollTop = first.offsetTop - 24;
    if (this.hit.document.title) {
      const inTitle = marksIn("title", direct.evidence);
      if (inTitle.length) this.title.replaceChildren(...marked(this.hit.document.title, inTitle));
    }
  }

  #compare(comparison, results, turn) {
    const place = results.findIndex((other) => other.id === comparison.lower_id);
    const lower = results[place];
    const names = { upper: `#${this.rank}`, lower: `#${place + 1}` };
    const found = comparison.counterfactual;
    const rank = found?.score == null ? null : rankWith(found.score, this.hit, results);
    if (found) turn.replaceChildren(el("span", { dir: "auto" }, turning(found, names, rank)));
    turn.classList.toggle("flips", found?.status === "flips");
    this.folds.append(fold(`Why above #${place + 1}?`, above(comparison, names, rank), named(lower.document)));
    turn.addEventListener("pointerenter", () => this.text.classList.add("struck"));
    turn.addEventListener("pointerleave", () => this.text.classList.remove("struck"));
  }

  #light() {
    for (const item of this.folds.querySelectorAll("li[data-n]")) {
      const marks = this.text.querySelectorAll(`mark[data-n="${item.dataset.n}"]`);
      item.addEventListener("pointerenter", () => marks.forEach((mark) => mark.classList.add("lit")));
      item.addEventListener("pointerleave", () => marks.forEach((mark) => mark.classList.remove("lit")));
    }
  }
}

function label(words) {
  return el("h4", { class: "label" }, words);
}

function reserved(kind) {
  return el("p", { class: kind });
}

function fold(title, children, hint = null) {
  return el("details", { class: "above" }, el("summary", { title: hint }, title), children);
}
