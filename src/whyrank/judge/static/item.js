// An item as a form: the document, what one or two sides say about it, and the questions.

import { clipped, el, unseen } from "./shared/dom.js";

const LETTERS = ["A", "B"];
const CLASSES = ["a", "b"];
const BETTER = [1, 0, -1];
const MOST_SHOWN = 100_000;
const QUOTE_SHOWN = 240;

/** An item that can be filled in. `study` says what is asked; `given` are answers to begin with, or null. */
export class ItemForm {
  constructor(study, item, given = null) {
    this.item = item;
    this.rows = [];
    this.element = el("form", { class: `item ${item.kind}`, autocomplete: "off" });
    this.element.append(el("h2", { class: "query", dir: "auto" }, item.query), this.#paper());
    if (item.kind === "grade")
      this.#both(this.#row("How relevant is the document?", study.grades, (own) => own, "grade"));
    else this.#sides(study);
    this.next = el("button", { type: "submit", class: "next" }, "Next ", el("kbd", {}, "Enter"));
    this.leave = el("button", { type: "button" }, "I cannot say ", el("kbd", {}, "S"));
    this.element.append(el("div", { class: "onward" }, this.next, this.leave));
    if (given) this.#fill(given);
  }

  /** Rows without an answer. */
  get open() {
    return this.rows.filter((row) => !row.chosen);
  }

  /** The row in which the focus is, or else the one that is answered next. */
  get current() {
    return this.rows.find((row) => row.element.contains(document.activeElement)) ?? this.open[0] ?? this.rows[0];
  }

  /** The answers, as the server takes them. */
  get answers() {
    const found = this.item.sides.map(() => ({}));
    for (const { side, question, chosen } of this.rows) {
      if (side !== null && chosen) found[side][question] = Number(chosen.value);
    }
    const of = (question) => {
      const chosen = this.rows.find((row) => row.side === null && row.question === question)?.chosen;
      return chosen ? Number(chosen.value) : null;
    };
    return { grade: of("grade"), sides: found, better: of("better") };
  }

  /** Choose the answer at a place of the current row, and go to what is open. */
  choose(place) {
    const row = this.current;
    const input = row?.inputs[place];
    if (!input) return;
    input.checked = true;
    const after = [...this.rows.slice(this.rows.indexOf(row) + 1), ...this.rows].find((own) => !own.chosen);
    if (after) after.focus();
    else this.next.focus();
  }

  /** Go `by` rows on. */
  move(by) {
    const place = this.rows.indexOf(this.current) + (this.rows.some((row) => row.holdsFocus) ? by : 0);
    if (place >= this.rows.length) this.next.focus();
    else this.rows[Math.max(place, 0)]?.focus();
  }

  #paper() {
    const { document: own, sides } = this.item;
    const spans = sides.flatMap((side, place) =>
      side.evidence.flatMap(({ span }, number) => (span ? [{ ...span, place, number }] : [])),
    );
    const id = "paper";
    const title = own.title
      ? sided(
          own.title,
          spans.filter((span) => span.field === "title"),
        )
      : [`Document ${clipped(own.id, 60)}`];
    this.text = el("div", {
      class: "doc",
      dir: "auto",
      tabindex: "0",
      role: "group",
      "aria-label": "Text of the document",
    });
    this.text.append(
      ...sided(
        own.text,
        spans.filter((span) => span.field === "text"),
      ),
    );
    if (!own.text.trim()) this.text.replaceChildren(el("span", { class: "cut" }, "No text."));
    const heading = el("h3", { id, dir: "auto" }, title);
    return el("section", { class: sides.length ? "paper" : "paper alone", "aria-labelledby": id }, heading, this.text);
  }

  #sides(study) {
    const isPair = this.item.sides.length === 2;
    const sides = this.item.sides.map((side, place) => this.#side(side, place, isPair, study));
    this.element.append(el("div", { class: "sides" }, sides));
    if (isPair && study.prefer) {
      this.#both(
        this.#row("Which of the two reasons is better?", ["A", "both alike", "B"], (place) => BETTER[place], "better"),
      );
    }
  }

  #side(side, place, isPair, study) {
    const letter = isPair
      ? el("span", { class: "swatch" }, `Reason ${LETTERS[place]}`)
      : el("span", { class: "swatch" }, "The reason");
    const stands = el("span", { class: "soft" }, `puts the document at place ${side.rank}`);
    const shared = side.shared
      ? [el("p", { class: "soft" }, "Several systems say exactly this; your answers count for each of them.")]
      : [];
    const rows = study.questions.map(({ id, ask, answers }) =>
      this.#row(ask, answers, (own) => own, id, place, isPair ? `Reason ${LETTERS[place]}: ` : ""),
    );
    const asked = rows.length ? [el("div", { class: "asked" }, rows)] : [];
    const said = [
      el(
        "div",
        {},
        el("h4", { class: "label" }, "Why it is here"),
        el("p", { dir: "auto" }, side.text),
        this.#quotes(side, place),
      ),
    ];
    if (side.above) said.push(above(side.above));
    return el(
      "section",
      { class: `side ${CLASSES[place]}` },
      el("h3", {}, letter, stands),
      ...shared,
      ...said,
      ...asked,
    );
  }

  #quotes(side, place) {
    const items = side.evidence.map(({ quote, span }, number) => {
      const words = `“${clipped(quote, QUOTE_SHOWN)}”`;
      if (!span) return el("li", {}, el("span", { class: "lost" }, "not found in the document: "), words);
      const shown = el("button", { type: "button", dir: "auto" }, unseen("Show in the document: "), words);
      const marks = () => this.element.querySelectorAll(`mark[data-of~="${place}-${number}"]`);
      shown.addEventListener("click", () => this.#show(marks()[0]));
      for (const [event, lit] of [
        ["pointerenter", true],
        ["pointerleave", false],
      ]) {
        shown.addEventListener(event, () => marks().forEach((mark) => mark.classList.toggle("lit", lit)));
      }
      return el("li", {}, shown);
    });
    return items.length ? el("ul", { class: "quotes" }, items) : null;
  }

  #show(mark) {
    if (!mark) return;
    if (this.text.contains(mark)) this.text.scrollTop = mark.offsetTop - 24;
    this.text.scrollIntoView({ block: "nearest" });
  }

  #both(row) {
    this.element.append(el("div", { class: "both" }, row));
  }

  #row(ask, words, value, question, side = null, before = "") {
    const row = new Row(ask, words, value, question, side, before, `row-${this.rows.length}`);
    this.rows.push(row);
    return row.element;
  }

  #fill(given) {
    for (const row of this.rows) {
      const value = row.side === null ? given[row.question] : given.sides[row.side][row.question];
      const input = row.inputs.find((own) => own.value === String(value ?? ""));
      if (input) input.checked = true;
    }
  }
}

/** A question and its answers. */
class Row {
  constructor(ask, words, value, question, side, before, name) {
    this.question = question;
    this.side = side;
    this.inputs = words.map((_, place) => el("input", { type: "radio", name, value: String(value(place)) }));
    const labels = words.map((word, place) =>
      el(
        "label",
        {},
        this.inputs[place],
        el("kbd", { "aria-hidden": "true" }, String(place + 1)),
        el("span", {}, word),
      ),
    );
    const legend = el("legend", {}, before ? unseen(before) : null, ask);
    this.element = el("fieldset", {}, legend, el("div", { class: "choices" }, labels));
  }

  get chosen() {
    return this.inputs.find((input) => input.checked) ?? null;
  }

  get holdsFocus() {
    return this.element.contains(document.activeElement);
  }

  focus() {
    (this.chosen ?? this.inputs[0]).focus({ preventScroll: true });
    this.element.scrollIntoView({ block: "nearest" });
  }
}

/** Why the document stands above the next one, and the next one to look at. */
function above({ text, lower, turn, removed }) {
  const name = lower.title ? clipped(lower.title, 80) : `document ${clipped(lower.id, 40)}`;
  const struck =
    removed.length > 1 ? removed.map((quote) => el("blockquote", { dir: "auto" }, clipped(quote, QUOTE_SHOWN))) : [];
  const turned = turn ? [el("div", { class: "turn" }, el("p", { dir: "auto" }, turn), struck)] : [];
  const other = el(
    "div",
    { class: "doc", dir: "auto", tabindex: "0", role: "group", "aria-label": "Text of the next document" },
    lower.text.slice(0, MOST_SHOWN),
  );
  const fold = el("details", { class: "above" }, el("summary", {}, `Read “${name}”`), other);
  return el(
    "div",
    {},
    el("h4", { class: "label" }, `Why it is above “${name}”`),
    el("p", { dir: "auto" }, text),
    ...turned,
    fold,
  );
}

/** Text nodes and marks; a stretch that both sides quote bears both marks. Offsets are code points. */
function sided(text, spans) {
  const points = Array.from(text.slice(0, 2 * MOST_SHOWN)).slice(0, MOST_SHOWN);
  const inside = spans.filter((span) => span.start < span.end && span.end <= points.length);
  const cuts = [...new Set([0, points.length, ...inside.flatMap((span) => [span.start, span.end])])].sort(
    (one, other) => one - other,
  );
  const found = cuts.slice(1).map((end, place) => {
    const words = points.slice(cuts[place], end).join("");
    const here = inside.filter((span) => span.start <= cuts[place] && end <= span.end);
    if (!here.length) return el("span", {}, words);
    const kinds = [...new Set(here.map((span) => CLASSES[span.place]))].sort().join(" ");
    return el("mark", { class: kinds, "data-of": here.map((span) => `${span.place}-${span.number}`).join(" ") }, words);
  });
  return points.length < text.length && Array.from(text).length > points.length
    ? [...found, el("span", { class: "cut" }, " … the rest is left out")]
    : found;
}
