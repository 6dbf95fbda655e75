// The page: what is typed, asked and shown.

import { documentsOf } from "./documents.js";
import { at, el } from "./dom.js";
import { DOCUMENTS, QUERY } from "./example.js";
import { counted, seconds } from "./figures.js";
import { sideBySide } from "./lines.js";
import { Ranked } from "./ranked.js";
import { asked, fetched, streamed } from "./server.js";

const GIVEN = "given";
const LARGEST_FILE = 10_000_000;
const NARROW = matchMedia("(max-width: 1023px)");
const panel = at("panel");
const mute = new Set(); // models that give no reasons
let running = null;
let comparing = null;
let shown = null;

function token() {
  return at("token").value.trim();
}

/** Do what a person asks for, in place of what was asked before. */
async function begin(work) {
  running?.abort();
  running = new AbortController();
  const { signal } = running;
  at("trouble").replaceChildren();
  document.body.classList.add("busy", "asked");
  try {
    await work(signal);
  } catch (error) {
    if (!signal.aborted) trouble(error);
  }
  if (!signal.aborted) document.body.classList.remove("busy");
}

async function ask(signal) {
  const query = at("query").value;
  if (!query.trim()) return;
  const { documents, scores } = await candidates(query, signal);
  if (!documents.length) {
    if (at("source").value) throw new Error("Nothing was found there for these words.");
    at("documents").focus();
    throw new Error("There are no documents yet. Paste some, open a file, or take the example.");
  }
  if (NARROW.matches) {
    panel.open = false;
    at("results").scrollIntoView();
  }
  const model = at("model").value || null;
  const top = mute.has(model) ? 0 : Number(at("top").value);
  await answer({ query, documents, scores, model, top }, at("beside").value, signal);
}

/** Show the ranking as soon as it is there, then each reason; a ranking stands whatever happens to its reasons. */
async function answer(body, other, signal) {
  const began = performance.now();
  const orders = other && other !== GIVEN ? order({ ...body, model: other, top: 0 }, signal) : null;
  orders?.catch(() => {}); // who waits for it is told
  let own = null;
  let missing = "The answer broke off.";
  try {
    for await (const [name, data] of streamed("v1/explain", { body, token: token(), signal })) {
      if (name === "ranking") {
        own = begun(body, data, (performance.now() - began) / 1000);
        if (other === GIVEN) beside(own, { name: "as given", ids: body.documents.map((document) => document.id) });
        else if (orders) placed(own, orders, signal);
      } else if (name === "reasons") own.tell(data);
      else if (name === "done") {
        own.done(data.usage);
        missing = null;
      } else missing = data.message;
    }
  } catch (error) {
    if (signal.aborted || !own) throw error;
    missing = error.message;
  }
  if (!own) throw new Error(missing);
  own.close(missing);
  if (missing === null) say(body.top ? "All reasons are there." : "This ranker gives no reasons.");
  else trouble(new Error(`Not all reasons are there. ${missing}`), () => begin((next) => answer(body, other, next)));
}

async function order(body, signal) {
  const { model, results } = await asked("v1/explain", { body: { ...body, stream: false }, token: token(), signal });
  return { name: model, ids: results.map((result) => result.id) };
}

async function placed(own, orders, signal) {
  own.reserveOrders();
  try {
    beside(own, await orders);
  } catch (error) {
    if (!signal.aborted) own.showOrders(el("p", { class: "notes", role: "alert" }, error.message));
  }
}

async function candidates(query, signal) {
  const corpus = at("source").value;
  if (!corpus) return { documents: documentsOf(at("documents").value), scores: null };
  const depth = Number(at("depth").value);
  const body = { query, corpus, depth, top_n: depth, rerank: false, model: at("model").value || null };
  const { results } = await asked("v1/search", { body, token: token(), signal });
  return {
    documents: results.map(({ id, document }) => ({ id, ...document })),
    scores: results.map((result) => result.first_score),
  };
}

function begun(body, data, took) {
  at("comparison").close(); // it is of the ranking before
  shown = new Ranked(body, data, { took, onPick: picked });
  at("outcome").replaceChildren(shown.element);
  at("share").disabled = false;
  picked();
  say(`Ranked ${counted(data.results.length, "document")} in ${seconds(took)}.`);
  at("results").focus({ preventScroll: !NARROW.matches });
  return shown;
}

function beside(own, left) {
  const right = { name: own.model, ids: own.results.map((result) => result.id) };
  own.showOrders(sideBySide(left, right, own.documents, (id) => own.goTo(id)));
}

function inOrder() {
  return [...shown.picked].sort((one, other) => one.rank - other.rank);
}

function picked() {
  const [one, other] = inOrder();
  at("picked").hidden = !one;
  at("compare").disabled = !other;
  at("picked-names").textContent = other ? `#${one.rank} and #${other.rank}` : one ? `#${one.rank} and another` : "";
}

async function compare() {
  const own = shown;
  const [one, other] = inOrder();
  const { query, documents, scores, model } = own.body;
  comparing?.abort();
  comparing = new AbortController();
  const { signal } = comparing;
  const body = { query, documents, scores, model, upper: one.hit.id, lower: other.hit.id };
  at("compared").replaceChildren(el("p", { class: "soft" }, "…"));
  at("comparison-title").textContent = `Why #${one.rank} is above #${other.rank}`;
  at("comparison").showModal();
  try {
    const { comparison } = await asked("v1/compare", { body, token: token(), signal });
    at("compared").replaceChildren(...own.compared(comparison, one, other));
  } catch (error) {
    if (!signal.aborted) at("compared").replaceChildren(el("p", { role: "alert" }, error.message));
  }
}

async function share() {
  at("share").disabled = true;
  try {
    const url = URL.createObjectURL(
      await fetched("v1/report", { body: { ...shown.body, stream: false }, token: token() }),
    );
    el("a", { href: url, download: "whyrank.html" }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  } catch (error) {
    trouble(error);
  }
  at("share").disabled = false;
}

/** Say what went wrong; `again` does it once more. */
function trouble(error, again = null) {
  if (error.status === 401) at("asking-token").hidden = false;
  const words = error.status === 401 ? "The server wants its token; give it below the documents." : error.message;
  const button = again && el("button", { type: "button", id: "again" }, "Again");
  button?.addEventListener("click", again);
  at("trouble").replaceChildren(el("p", { class: "notes" }, words, button));
}

function say(words) {
  at("status").textContent = words;
}

async function listed() {
  const [models, corpora] = await Promise.all(
    ["v1/models", "v1/corpora"].map((path) => asked(path, { token: token() })),
  );
  for (const { id, reasons } of models.data) if (!reasons) mute.add(id);
  const option = (value, words) => el("option", { value }, words);
  at("model").replaceChildren(...models.data.map(({ id }) => option(id, id)));
  at("beside").append(...models.data.slice(models.data.length > 1 ? 0 : 1).map(({ id }) => option(id, id)));
  at("source").append(
    ...corpora.data.map(({ id, documents }) => option(id, `${id} (${counted(documents, "document")})`)),
  );
}

function counting() {
  try {
    const count = documentsOf(at("documents").value).length;
    at("count").textContent = count ? counted(count, "document") : "none yet";
  } catch (error) {
    at("count").textContent = error.message;
  }
}

function example() {
  at("source").value = "";
  at("source").dispatchEvent(new Event("change"));
  at("documents").value = DOCUMENTS.map((document) => JSON.stringify(document)).join("\n");
  at("query").value = QUERY;
  counting();
  begin(ask);
}

async function opened({ target }) {
  const [file] = target.files;
  target.value = "";
  if (!file) return;
  if (file.size > LARGEST_FILE) {
    trouble(new Error(`${file.name} has more than 10 MB; index it with whyrank index, and name it in the settings.`));
    return;
  }
  at("documents").value = await file.text();
  counting();
}

at("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  begin(ask);
});
at("documents").addEventListener("input", counting);
at("documents").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) at("ask").requestSubmit();
});
at("source").addEventListener("change", () => {
  at("pasting").hidden = Boolean(at("source").value);
  at("searching").hidden = !at("source").value;
});
at("file").addEventListener("change", opened);
at("example").addEventListener("click", example);
at("try").addEventListener("click", example);
at("share").addEventListener("click", share);
at("compare").addEventListener("click", compare);
at("unpick").addEventListener("click", () => shown.unpick());
at("close").addEventListener("click", () => at("comparison").close());
at("comparison").addEventListener("close", () => comparing?.abort());
at("token").addEventListener("change", () => listed().then(() => at("trouble").replaceChildren(), trouble));
NARROW.addEventListener("change", () => {
  panel.open = true;
});
listed().catch(trouble);
counting();
