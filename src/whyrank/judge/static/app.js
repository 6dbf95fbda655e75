// The page for judges: who judges, one item after the other, and the keys.

import { ItemForm } from "./item.js";
import { at, clipped, el, unseen } from "./shared/dom.js";
import { asked } from "./shared/server.js";
import { Stopwatch } from "./stopwatch.js";

const LONGEST_S = 86_400;
const NAME = "whyrank judge";
const watch = new Stopwatch();
let study = null;
let judge = "";
let form = null;
let isBusy = false;

async function begin() {
  await learn();
  const name = sessionStorage.getItem(NAME) ?? study.judge;
  if (name) await enter(name);
  else ask();
}

async function learn() {
  study = await asked("v1/study", { token: token() });
  document.title = `${study.title} · whyrank`;
  at("title").textContent = study.title;
  at("judges").replaceChildren(...study.judges.map((value) => el("option", { value })));
}

function ask() {
  at("entry").hidden = false;
  at("judge").focus();
}

async function enter(name) {
  show(await asked("v1/next", { body: { judge: name }, token: token() }));
}

function show({ judge: name, done, left, item, answers }) {
  judge = name;
  sessionStorage.setItem(NAME, name);
  at("entry").hidden = true;
  at("bar").hidden = false;
  at("trouble").replaceChildren();
  at("progress").max = Math.max(done + left, 1);
  at("progress").value = done;
  at("count").textContent = `${done} of ${done + left}`;
  at("undo").disabled = !done;
  at("who").replaceChildren(unseen("Another judge than "), el("bdi", {}, clipped(name, 24)));
  form = item ? new ItemForm(study, item, answers ?? null) : null;
  at("work").replaceChildren(form ? form.element : over(done));
  scrollTo(0, 0);
  if (form) watched();
  else at("work").focus();
  say(form ? `Item ${done + 1} of ${done + left}: ${item.query}` : "Nothing is left to judge.");
}

function watched() {
  watch.start();
  const text = form.text;
  const first = text.querySelector("mark");
  if (first) text.scrollTop = first.offsetTop - 24;
  form.element.addEventListener("submit", (event) => {
    event.preventDefault();
    keep(false);
  });
  form.leave.addEventListener("click", () => keep(true));
  (form.open[0] ?? form.rows[0])?.inputs[0].focus({ preventScroll: true });
}

function over(done) {
  const told = done
    ? "Thank you. Nothing is left for you to judge."
    : "There is nothing for you to judge: every item has as many judges as are wanted.";
  return el(
    "section",
    { class: "over" },
    el("h2", { class: "query" }, told),
    done ? el("p", {}, "You can still take back the last item, and close the page when you are done.") : null,
  );
}

async function keep(leaves) {
  const { open } = form;
  if (open.length && !leaves) {
    open[0].focus();
    tell(
      `${open.length === 1 ? "One question is" : `${open.length} questions are`} open; “I cannot say” goes on without.`,
    );
    return;
  }
  const body = { judge, item: form.item.id, seconds: Math.min(watch.seconds, LONGEST_S), leaves, ...form.answers };
  await working(async () => show(await asked("v1/answer", { body, token: token() })));
}

async function undo() {
  await working(async () => show(await asked("v1/undo", { body: { judge }, token: token() })));
}

async function working(work) {
  if (isBusy) return;
  isBusy = true;
  try {
    await work();
  } catch (error) {
    trouble(error);
  }
  isBusy = false;
}

function trouble(error) {
  if (error.status === 401) {
    at("asking-token").hidden = false;
    at("judge").value ||= sessionStorage.getItem(NAME) ?? "";
    tell("The server wants its token.");
    at("entry").hidden = false;
    at("token").focus();
    return;
  }
  if (!form && !judge) ask();
  tell(error.status === 0 ? `${error.message} What you chose is still here; go on when it is back.` : error.message);
}

function leave() {
  sessionStorage.removeItem(NAME);
  form = null;
  judge = "";
  at("bar").hidden = true;
  at("work").replaceChildren();
  at("judge").value = "";
  ask();
}

function tell(words) {
  at("trouble").replaceChildren(el("p", { class: "notes" }, words));
}

function say(words) {
  at("status").textContent = words;
}

function token() {
  return at("token").value.trim();
}

function pressed(event) {
  if (!form || at("keys").open || event.ctrlKey || event.metaKey || event.altKey) return;
  const key = event.key.toLowerCase();
  const isOnButton = event.target.closest("button, summary, a") !== null;
  const isReading = event.target.closest(".doc") !== null;
  if (/^[1-9]$/.test(key)) form.choose(Number(key) - 1);
  else if (key === "arrowdown" && !isReading) form.move(1);
  else if (key === "arrowup" && !isReading) form.move(-1);
  else if (key === "enter" && !isOnButton) keep(false);
  else if (key === "s") keep(true);
  else return;
  event.preventDefault();
}

function helped(event) {
  if (event.target.closest("input:not([type=radio])") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "?" && !at("keys").open) at("keys").showModal();
  else if (event.key.toLowerCase() === "u" && judge && !at("keys").open && !at("undo").disabled) undo();
}

at("entry").addEventListener("submit", (event) => {
  event.preventDefault();
  working(async () => {
    if (!study) await learn();
    await enter(at("judge").value);
  });
});
at("undo").addEventListener("click", undo);
at("who").addEventListener("click", leave);
at("help").addEventListener("click", () => at("keys").showModal());
at("close").addEventListener("click", () => at("keys").close());
document.addEventListener("keydown", pressed);
document.addEventListener("keydown", helped);
working(begin);
