"use strict";
// The page is whole without this: it lets tables be sorted and opens what is folded before printing.
(() => {
  document.querySelectorAll("table.sortable").forEach((table) => {
    const body = table.tBodies[0];
    const given = [...body.rows];
    if (given.length < 2) return;
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, place) => {
      if (head.classList.contains("k-text")) return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const was = head.getAttribute("aria-sort");
        const isNumber = !head.classList.contains("k-name");
        const first = isNumber ? "descending" : "ascending";
        const next = was === null ? first : was === first ? (isNumber ? "ascending" : "descending") : null;
        heads.forEach((h) => h.removeAttribute("aria-sort"));
        if (next === null) return body.append(...given);
        head.setAttribute("aria-sort", next);
        const sign = next === "descending" ? -1 : 1;
        const value = (row) => row.cells[place].dataset.value;
        const text = (row) => row.cells[place].textContent;
        body.append(...[...given].sort((a, b) => {
          if (!isNumber) return sign * text(a).localeCompare(text(b));
          const [x, y] = [value(a), value(b)];
          // What is not known stands last, whichever way is sorted.
          return x === undefined || y === undefined ? (x === undefined) - (y === undefined) : sign * (x - y);
        }));
      });
    });
  });
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll(".case:not([open]), .plotted:not([open])")];
    closed.forEach((d) => { d.open = true; });
  });
  addEventListener("afterprint", () => closed.forEach((d) => { d.open = false; }));
})();
