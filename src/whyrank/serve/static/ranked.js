// A ranking on the page: its facts, its cards, and what comes later.

import { Card, moved } from "./card.js";
import { clipped, el } from "./dom.js";
import { counted, number, scale, seconds, spent } from "./figures.js";
import { MOST, ROW } from "./lines.js";
import { above, named, rankWith } from "./reasons.js";

const FULL_CARDS = 20;

/** The answer `data` to `body`, which took `took` seconds; `onPick` is called when what is picked changes. */
export class Ranked {
  constructor(body, data, { took, onPick }) {
    this.body = body;
    this.model = data.model;
    this.usage = data.usage;
    this.documents = new Map(body.documents.map((document) => [document.id, document]));
    this.results = data.results.map((result) => ({ ...result, document: this.documents.get(result.id) }));
    this.picked = [];
    this.onPick = onPick;
    const line = scale(this.results.map((result) => result.score));
    const wanted = this.results.length ? body.top : 0;
    this.cards = this.results
      .slice(0, Math.max(FULL_CARDS, wanted))
      .map((hit, place) => new Card(hit, place + 1, line, place < wanted, (card) => this.#pick(card)));
    this.orders = el("div");
    this.cost = el("dd", {}, wanted ? "are coming …" : "this ranker gives none");
    this.element = el(
      "section",
      { class: "ranking", "aria-labelledby": "asked" },
      this.#facts(data, took),
      this.orders,
      this.#list(),
      this.#rest(),
    );
  }

  /** Reasons of one hit. */
  tell(data) {
    this.cards[data.place].tell(data, this.results);
  }

  /** What all reasons cost. */
  done(usage) {
    if (this.cards.some((card) => card.why)) this.cost.textContent = spent(without(usage, this.usage)) || "nothing";
  }

  /** Nothing more comes; `missing` says why, if there would have been more. */
  close(missing) {
    this.cards.forEach((card) => card.close(missing === null ? "No reason was given." : "Its reason did not come."));
    if (missing !== null) this.cost.textContent = "not all are there";
  }

  /** Keep room for another order. */
  reserveOrders() {
    this.orders.style.blockSize = `calc(${Math.min(this.results.length, MOST) * ROW + 2}px + 3.2rem)`;
  }

  /** Show two orders side by side. */
  showOrders(element) {
    this.orders.replaceChildren(element);
  }

  /** Bring a hit into view. */
  goTo(id) {
    const card = this.cards.find((own) => own.hit.id === id);
    card?.element.scrollIntoView({ block: "center" });
    card?.pick.focus({ preventScroll: true });
  }

  /** Pick nothing. */
  unpick() {
    this.picked.forEach((card) => {
      card.pick.checked = false;
    });
    this.picked = [];
    this.onPick();
  }

  /** The comparison of two cards as elements. */
  compared(comparison, one, other) {
    const names = { upper: `#${one.rank}`, lower: `#${other.rank}` };
    const score = comparison.counterfactual?.score ?? null;
    const rank = score === null ? null : rankWith(score, one.hit, this.results);
    const pair = [one, other].map((card) =>
      el("li", {}, el("b", {}, `#${card.rank} `), el("bdi", {}, named(card.hit.document))),
    );
    return [el("ul", { class: "pair" }, pair), ...above(comparison, names, rank)];
  }

  #pick(card) {
    const kept = this.picked.filter((own) => own !== card);
    const all = card.pick.checked ? [...kept, card] : kept;
    all.slice(0, -2).forEach((own) => {
      own.pick.checked = false;
    });
    this.picked = all.slice(-2);
    this.onPick();
  }

  #facts(data, took) {
    const facts = [
      ["Documents", this.results.length.toLocaleString("en")],
      ["Ranked by", data.meta.ranker],
      ["Ranking", [spentTokens(data.usage), seconds(took)].filter(Boolean).join(" · ")],
    ];
    const items = facts.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)));
    const reasons = el("div", { class: "coming" }, el("dt", {}, "Reasons"), this.cost);
    const notes = (data.meta.warnings ?? []).map((note) => el("p", {}, note));
    const query = el(
      "h2",
      { class: this.body.query.length > 160 ? "query long" : "query", id: "asked", dir: "auto" },
      this.body.query.slice(0, 6000),
    );
    const noted = notes.length ? [el("div", { class: "notes", role: "note" }, notes)] : [];
    return el("header", {}, query, el("dl", { class: "facts" }, items, reasons), ...noted);
  }

  #list() {
    return el(
      "ol",
      { class: "hits" },
      this.cards.map((card) => card.element),
    );
  }

  #rest() {
    const others = this.results.slice(this.cards.length);
    if (!others.length) return null;
    const rows = others.map((hit, place) => row(hit, this.cards.length + place + 1));
    const column = (words, kind) => el("th", { scope: "col", class: kind }, words);
    const head = el(
      "thead",
      {},
      el("tr", {}, column("Rank", "c1"), column("Moved", "c2"), column("Score", "c3"), column("Document", null)),
    );
    return el(
      "details",
      { class: "rest" },
      el("summary", {}, counted(others.length, "further document")),
      el("table", {}, head, el("tbody", {}, rows)),
    );
  }
}

function row(hit, rank) {
  const words = el("bdi", {}, named(hit.document), el("br"), el("span", {}, clipped(hit.document.text, 160)));
  return el(
    "tr",
    {},
    el("td", { class: "c1" }, String(rank)),
    el("td", { class: "c2" }, moved(rank, hit.first_rank)),
    el("td", { class: "c3" }, number(hit.score)),
    el("td", {}, words),
  );
}

function without(usage, first) {
  const names = ["prompt_tokens", "generated_tokens", "seconds"];
  const cost = usage.cost === null ? null : usage.cost - (first.cost ?? 0);
  return { cost, ...Object.fromEntries(names.map((name) => [name, usage[name] - first[name]])) };
}

function spentTokens(usage) {
  return spent({ ...usage, seconds: 0 });
}
