// One hit as a card. Room for its reason is kept from the start, so that nothing moves when it comes.

import { clipped, el, ornament, unseen } from "./dom.js";
import { bar, number } from "./figures.js";
import { marked, marksIn } from "./passages.js";
import { above, madeOf, named, quoted, rankWith, turning } from "./reasons.js";

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
    this.directs = [];
    this.comparisons = [];
    this.reason = el("div", { class: "reason" });
    this.turn = el("p", { class: "turning" });
    this.turn.addEventListener("pointerenter", () => this.text.classList.add("struck"));
    this.turn.addEventListener("pointerleave", () => this.text.classList.remove("struck"));
    this.why = awaits
      ? el(
          "section",
          { class: "why waits", "aria-busy": "true" },
          el("h4", { class: "label" }, "Why it is here"),
          this.reason,
          this.turn,
        )
      : null;
    this.folds = el("div", { class: "folds" });
    this.folds.addEventListener("pointerover", ({ target }) => this.#light(target.closest("li[data-n]")));
    this.folds.addEventListener("pointerleave", () => this.#light(null));
    this.element = el("li", {}, this.#article(id, line));
  }

  /** Show one more of its reasons; `results` are all of the ranking, best first. */
  tell({ direct, comparison }, results) {
    this.why.removeAttribute("aria-busy");
    this.why.classList.remove("waits");
    if (direct) this.directs.push(direct);
    if (comparison) this.comparisons.push(comparison);
    if (direct) this.#direct();
    if (comparison) this.#compare(results);
    else if (this.rank === results.length) this.turn.replaceChildren(el("span", {}, "It is the last."));
    this.#mark();
    if (isCut(this.reason) || isCut(this.turn)) this.#offerAll();
  }

  /** Nothing more comes; `words` stand where there is no reason. */
  close(words) {
    if (!this.why?.classList.contains("waits")) return;
    this.why.classList.remove("waits");
    this.why.removeAttribute("aria-busy");
    this.reason.replaceChildren(el("span", { class: "soft" }, words));
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

  #direct() {
    const said = this.directs.flatMap((direct) => (direct.text ? [el("p", { dir: "auto" }, direct.text)] : []));
    this.reason.replaceChildren(...said);
    const firsts = this.directs.map((_, place) => quoted(this.directs.slice(0, place)).length);
    const apart = this.directs.flatMap((direct, place) => madeOf(direct, firsts[place]));
    this.numbers ??= this.#fold("The numbers");
    this.numbers.replaceChildren(...apart);
  }

  #mark() {
    const evidence = quoted(this.directs);
    const removed = this.comparisons.flatMap((comparison) => comparison.counterfactual?.removed ?? []);
    const inText = removed.filter((span) => span.field === "text");
    if (this.hit.document.text.trim())
      this.text.replaceChildren(...marked(this.hit.document.text, marksIn("text", evidence), inText));
    const first = this.text.querySelector(".s4") ?? this.text.querySelector("mark");
    if (first) this.text.scrollTop = first.offsetTop - 24;
    const inTitle = this.hit.document.title ? marksIn("title", evidence) : [];
    if (inTitle.length) this.title.replaceChildren(...marked(this.hit.document.title, inTitle));
  }

  #compare(results) {
    const place = results.findIndex((other) => other.id === this.comparisons[0].lower_id);
    const names = { upper: `#${this.rank}`, lower: `#${place + 1}` };
    const rankOf = (found) => (found?.score == null ? null : rankWith(found.score, this.hit, results));
    this.above ??= this.#fold(`Why above #${place + 1}?`, named(results[place].document));
    this.above.replaceChildren(...this.comparisons.flatMap((own) => above(own, names, rankOf(own.counterfactual))));
    const found = this.comparisons.find((own) => own.counterfactual)?.counterfactual;
    if (!found) return;
    this.turn.replaceChildren(el("span", { dir: "auto" }, turning(found, names, rankOf(found))));
    this.turn.classList.toggle("flips", found.status === "flips");
  }

  #fold(title, hint = null) {
    const content = el("div");
    this.folds.append(el("details", { class: "above" }, el("summary", { title: hint }, title), content));
    return content;
  }

  #offerAll() {
    if (this.why.querySelector("button")) return;
    const button = el("button", { type: "button", class: "all", "aria-expanded": "false" }, "Whole reason");
    button.addEventListener("click", () => {
      button.setAttribute("aria-expanded", String(this.why.classList.toggle("whole")));
    });
    this.reason.before(button);
  }

  #light(item) {
    const number = item?.dataset.n ?? null;
    for (const mark of this.text.querySelectorAll("mark")) mark.classList.toggle("lit", mark.dataset.n === number);
  }
}

function isCut(element) {
  return element.scrollHeight > element.clientHeight + 1;
}
