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
let running = null;
let shown = null;

function token() {
  return at("token").value.trim();
}

async function ask() {
  running?.abort();
  running = new AbortController();
  const { signal } = running;
  at("trouble").replaceChildren();
  at("share").disabled = true;
  document.body.classList.add("busy", "asked");
  try {
    await rank(signal);
  } catch (error) {
    if (!signal.aborted) trouble(error);
  }
  if (!signal.aborted) document.body.classList.remove("busy");
}

async function rank(signal) {
  const query = at("query").value;
  const asking = { token: token(), signal };
  if (!query.trim()) return;
  const { documents, scores } = await candidates(query, asking);
  if (!documents.length) {
    at("documents").focus();
    throw new Error("There are no documents yet. Paste some, open a file, or take the example.");
  }
  if (NARROW.matches) {
    panel.open = false;
    at("results").scrollIntoView();
  }
  const body = { query, documents, scores, model: at("model").value || null, top: Number(at("top").value) };
  const beside = at("beside").value;
  const other =
    beside && beside !== GIVEN
      ? asked("v1/explain", { body: { ...body, model: beside, top: 0, stream: false }, ...asking })
      : null;
  other?.catch(() => {});
  const given = beside === GIVEN ? documents.map((own) => own.id) : null;
  try {
    await reasons(body, asking, given, other);
  } catch (error) {
    if (error.param !== "top") throw error;
    await reasons({ ...body, top: 0 }, asking, given, other); // this ranker gives no reasons
  }
}

async function reasons(body, asking, given, other) {
  const began = performance.now();
  let own = null;
  for await (const [name, data] of streamed("v1/explain", { body, ...asking })) {
    if (name === "ranking") {
      own = begun(body, data, (performance.now() - began) / 1000);
      if (given) beside(own, "as given", given);
      else if (other) own.reserveOrders();
    } else if (name === "reasons") own.tell(data);
    else if (name === "done") own.done(data.usage);
    else throw new Error(data.message);
  }
  own.close();
  say("All reasons are there.");
  if (!other) return;
  const { model, results } = await other;
  beside(
    own,
    model,
    results.map((result) => result.id),
  );
}

async function candidates(query, asking) {
  const corpus = at("source").value;
  if (!corpus) return { documents: documentsOf(at("documents").value), scores: null };
  const depth = Number(at("depth").value);
  const body = { query, corpus, depth, top_n: depth, rerank: false, model: at("model").value || null };
  const { results } = await asked("v1/search", { body, ...asking });
  return {
    documents: results.map(({ id, document }) => ({ id, ...document })),
    scores: results.map((result) => result.first_score),
  };
}

function begun(body, data, took) {
  shown = new Ranked(body, data, { took, onPick: picked });
  at("outcome").replaceChildren(shown.element);
  at("share").disabled = false;
  picked();
  say(`Ranked ${counted(data.results.length, "document")} in ${seconds(took)}.`);
  at("results").focus({ preventScroll: !NARROW.matches });
  return shown;
}

function beside(own, name, ids) {
  const right = { name: own.model, ids: own.results.map((result) => result.id) };
  own.showOrders(sideBySide({ name, ids }, right, own.documents, (id) => own.goTo(id)));
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
  const [one, other] = inOrder();
  const { query, documents, scores, model } = shown.body;
  const body = { query, documents, scores, model, upper: one.hit.id, lower: other.hit.id };
  at("compared").replaceChildren(el("p", { class: "soft" }, "…"));
  at("comparison-title").textContent = `Why #${one.rank} is above #${other.rank}`;
  at("comparison").showModal();
  try {
    const { comparison } = await asked("v1/compare", { body, token: token() });
    at("compared").replaceChildren(...shown.compared(comparison, one, other));
  } catch (error) {
    at("compared").replaceChildren(el("p", { role: "alert" }, error.message));
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

function trouble(error) {
  if (error.status === 401) at("asking-token").hidden = false;
  const words = error.status === 401 ? "The server wants its token; give it below the documents." : error.message;
  at("trouble").replaceChildren(el("p", { class: "notes" }, words));
}

function say(words) {
  at("status").textContent = words;
}

async function listed() {
  const [models, corpora] = await Promise.all(
    ["v1/models", "v1/corpora"].map((path) => asked(path, { token: token() })),
  );
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
  ask();
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
  ask();
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
at("token").addEventListener("change", () => listed().then(() => at("trouble").replaceChildren(), trouble));
NARROW.addEventListener("change", () => {
  panel.open = true;
});
listed().catch(trouble);
counting();
