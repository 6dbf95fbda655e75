"use strict";
// The page is whole without this: it adds one button and two small comforts.
(() => {
  const all = () => [...document.querySelectorAll(".above")];
  const tools = document.querySelector(".tools");
  if (tools && all().length) {
    const button = document.createElement("button");
    button.type = "button";
    const label = () => {
      button.textContent = all().every((d) => d.open) ? "Close all comparisons" : "Open all comparisons";
    };
    button.addEventListener("click", () => {
      const open = !all().every((d) => d.open);
      all().forEach((d) => { d.open = open; });
      label();
    });
    document.addEventListener("toggle", label, true);
    label();
    tools.append(button);
  }
  document.querySelectorAll(".evidence li[data-n]").forEach((item) => {
    const marks = item.closest(".hit").querySelectorAll(`mark[data-n="${item.dataset.n}"]`);
    item.addEventListener("pointerenter", () => marks.forEach((m) => m.classList.add("lit")));
    item.addEventListener("pointerleave", () => marks.forEach((m) => m.classList.remove("lit")));
  });
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll(".above:not([open]), .rest:not([open])")];
    closed.forEach((d) => { d.open = true; });
  });
  addEventListener("afterprint", () => closed.forEach((d) => { d.open = false; }));
})();
