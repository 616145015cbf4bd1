"use strict";
(() => {
  // Sorting: a heading sorts upwards, then downwards, then in the order of the page again.
  const NEXT = { none: "ascending", ascending: "descending", descending: "none" };

  const numberIn = (cell) => {
    const found = cell.textContent.match(/[+-]?\d+(\.\d+)?(e[+-]?\d+)?/i);
    return found ? Number(found[0]) : NaN;
  };
  const byText = new Intl.Collator("en", { numeric: true }).compare;

  function compare(column, isNumber, sign) {
    return (a, b) => {
      const [left, right] = [a.cells[column], b.cells[column]];
      if (!isNumber) return sign * byText(left.textContent, right.textContent);
      const [x, y] = [numberIn(left), numberIn(right)];
      if (isNaN(x) || isNaN(y)) return isNaN(x) - isNaN(y); // without a number: last, either way
      return sign * (x - y);
    };
  }

  function makeSortable(table) {
    const body = table.tBodies[0];
    const original = [...body.rows];
    const headings = [...table.tHead.rows[0].cells];
    headings.forEach((heading, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.firstElementChild.childNodes);
      heading.replaceChildren(button);
      heading.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => {
        const order = NEXT[heading.getAttribute("aria-sort")];
        headings.forEach((other) => other.setAttribute("aria-sort", "none"));
        heading.setAttribute("aria-sort", order);
        const isNumber = heading.classList.contains("number");
        const rows = [...original];
        if (order !== "none") rows.sort(compare(column, isNumber, order === "ascending" ? 1 : -1));
        body.append(...rows);
      });
    });
  }
  document.querySelectorAll("table.sortable").forEach((table) => { if (!table.closest(".values")) makeSortable(table); });

  // Figures. Colours are the page's own variables, so that light, dark and paper need no second drawing.
  const CONFIG = {
    background: null,
    view: { stroke: "var(--line)" },
    axis: {
      domainColor: "var(--soft)", gridColor: "var(--grid)", labelColor: "var(--ink)", labelFontSize: 12,
      tickColor: "var(--soft)", titleColor: "var(--ink)", titleFontSize: 12, titleFontWeight: "normal",
    },
    legend: { labelColor: "var(--ink)", titleColor: "var(--ink)", titleFontWeight: "normal" },
  };
  const OPTIONS = {
    actions: false, ast: true, logLevel: 1, config: CONFIG, defaultStyle: false, mode: "vega-lite", renderer: "svg",
    tooltip: { disableDefaultStyle: true },
  };

  function fillTable(table, rows) {
    const fields = [...table.tHead.rows[0].cells].map((heading) => heading.dataset.field);
    rows.filter((row) => !row.is_seed).forEach((row) => {
      const line = table.tBodies[0].insertRow();
      fields.forEach((field) => { line.insertCell().textContent = row[field]; });
    });
    makeSortable(table);
  }

  async function draw(chart) {
    const views = [];
    for (const place of chart.querySelectorAll(".view")) {
      const spec = JSON.parse(place.nextElementSibling.textContent);
      const values = place.parentElement.querySelector(".values");
      const rows = spec.data.values;
      values.addEventListener("toggle", () => fillTable(values.querySelector("table"), rows), { once: true });
      views.push((await vegaEmbed(place, spec, OPTIONS)).view);
    }
    const boxes = [...chart.querySelectorAll(".legend input")];
    boxes.forEach((box) => box.addEventListener("change", () => {
      const hidden = boxes.filter((one) => !one.checked).map((one) => one.value);
      views.forEach((view) => view.signal("hidden", hidden).run());
    }));
    chart.dataset.drawn = "";
  }
  document.querySelectorAll(".chart").forEach(draw);

  // On paper nothing is folded.
  let folded = [];
  window.addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open], .values)")];
    folded.forEach((one) => { one.open = true; });
  });
  window.addEventListener("afterprint", () => folded.forEach((one) => { one.open = false; }));
})();
