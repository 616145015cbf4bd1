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
  document.querySelectorAll("table.sortable").forEach(makeSortable);

  // Tooltips: the nearest point of a figure, by mouse, touch or arrow keys.
  const tip = document.getElementById("tip");
  const REACH = 30;
  const known = new WeakMap();
  let shownIn = null;

  function seriesOf(svg) {
    if (!known.has(svg)) {
      const series = [...svg.querySelectorAll(".series")].map((group) => ({
        label: group.dataset.label,
        points: group.dataset.points.split(";").filter(Boolean).map((text) => {
          const [x, y, place, value, seeds, cell] = text.split("|");
          return { x: Number(x), y: Number(y), place, value, seeds, cell };
        }),
      }));
      known.set(svg, { series: series.filter((one) => one.points.length), line: 0, at: -1 });
    }
    return known.get(svg);
  }

  function hide() {
    tip.hidden = true;
    if (shownIn) shownIn.querySelector(".at").style.visibility = "hidden";
    shownIn = null;
  }

  function show(svg, line, at) {
    const state = seriesOf(svg);
    const one = state.series[line];
    const point = one.points[at];
    if (shownIn && shownIn !== svg) hide();
    Object.assign(state, { line, at });
    shownIn = svg;
    const ring = svg.querySelector(".at");
    ring.setAttribute("cx", point.x);
    ring.setAttribute("cy", point.y);
    ring.style.visibility = "visible";
    const name = document.createElement("b");
    name.textContent = point.cell || one.label;
    const rest = [point.place, point.value, point.seeds].filter(Boolean).join(", ");
    tip.replaceChildren(name, rest);
    tip.hidden = false;
    const where = new DOMPoint(point.x, point.y).matrixTransform(svg.getScreenCTM());
    const page = document.documentElement;
    const left = Math.min(where.x + 12, page.clientWidth - tip.offsetWidth - 4);
    const above = where.y - tip.offsetHeight - 12;
    tip.style.left = `${Math.max(4, left) + window.scrollX}px`;
    tip.style.top = `${(above > 0 ? above : where.y + 14) + window.scrollY}px`;
  }

  function nearest(svg, event) {
    const matrix = svg.getScreenCTM();
    const pointer = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix.inverse());
    let best = { distance: REACH / Math.min(matrix.a, 1) };
    seriesOf(svg).series.forEach((one, line) => one.points.forEach((point, at) => {
      const distance = Math.hypot(point.x - pointer.x, point.y - pointer.y);
      if (distance < best.distance) best = { distance, line, at };
    }));
    return best;
  }

  function pointAt(svg, event) {
    const { line, at } = nearest(svg, event);
    if (line === undefined) hide();
    else show(svg, line, at);
  }

  // In a heat map an arrow key leads to the nearest field on that side.
  function neighbour(points, from, dx, dy) {
    let best = { at: from, distance: Infinity };
    points.forEach((point, at) => {
      const along = (point.x - points[from].x) * dx + (point.y - points[from].y) * dy;
      const aside = Math.abs((point.x - points[from].x) * dy) + Math.abs((point.y - points[from].y) * dx);
      if (along > 0 && along + 3 * aside < best.distance) best = { at, distance: along + 3 * aside };
    });
    return best.at;
  }

  const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

  function onKey(svg, event) {
    if (event.key === "Escape") return hide();
    const state = seriesOf(svg);
    if (!state.series.length || !(event.key in STEPS || event.key === "Home" || event.key === "End")) return;
    event.preventDefault();
    let { line, at } = state;
    const last = state.series[line].points.length - 1;
    const [dx, dy] = STEPS[event.key] || [0, 0];
    if (event.key === "Home" || event.key === "End") at = event.key === "Home" ? 0 : last;
    else if (at < 0) at = last;
    else if (svg.classList.contains("heat")) at = neighbour(state.series[line].points, at, dx, dy);
    else {
      line = (line + dy + state.series.length) % state.series.length;
      at = Math.min(Math.max(at + dx, 0), state.series[line].points.length - 1);
    }
    show(svg, line, at);
  }

  document.querySelectorAll("svg.plot").forEach((svg) => {
    svg.querySelectorAll("title").forEach((title) => title.remove()); // the browser's own would come on top
    svg.addEventListener("pointermove", (event) => pointAt(svg, event));
    svg.addEventListener("pointerdown", (event) => pointAt(svg, event));
    svg.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") hide(); });
    svg.addEventListener("blur", hide);
    svg.addEventListener("keydown", (event) => onKey(svg, event));
  });
  document.addEventListener("pointerdown", (event) => {
    if (shownIn && !shownIn.contains(event.target)) hide();
  });

  // On paper nothing is folded.
  let folded = [];
  window.addEventListener("beforeprint", () => {
    hide();
    folded = [...document.querySelectorAll("details:not([open])")];
    folded.forEach((one) => { one.open = true; });
  });
  window.addEventListener("afterprint", () => folded.forEach((one) => { one.open = false; }));
})();
