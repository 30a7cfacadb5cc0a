"use strict";

// Without this script the page shows everything, one thing below the other; it adds sorting, finding and tabs.

function cellText(row, column) {
  // A cell's first element or text holds its value; intervals and signs come behind it.
  const cell = row.cells[column];
  return (cell.firstElementChild || cell).textContent.trim();
}

function compare(left, right, numeric) {
  return numeric ? left - right : left.localeCompare(right, undefined, { numeric: true });
}

function sortBy(table, column, direction, numeric) {
  const body = table.tBodies[0];
  const keyed = Array.from(body.rows, (row) => {
    const words = cellText(row, column);
    return { row, key: numeric ? parseFloat(words.replace(/,/g, "")) : words };
  });
  const absent = (entry) => numeric && Number.isNaN(entry.key);
  keyed.sort((one, other) => {
    if (absent(one) || absent(other)) return absent(one) - absent(other); // always last
    return direction * compare(one.key, other.key, numeric);
  });
  body.append(...keyed.map((entry) => entry.row));
}

function makeSortable(table) {
  const heads = Array.from(table.tHead.rows[0].cells);
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const ascending = head.getAttribute("aria-sort") !== "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
      sortBy(table, column, ascending ? 1 : -1, head.classList.contains("number"));
    });
  });
}

function makeSearchable(table) {
  const rows = Array.from(table.tBodies[0].rows);
  if (rows.length < 12) return;
  const label = document.createElement("label");
  const input = document.createElement("input");
  label.className = "filter";
  input.type = "search";
  label.append("Find a class", input);
  input.addEventListener("input", () => {
    const wanted = input.value.trim().toLowerCase();
    rows.forEach((row) => {
      row.hidden = ![0, 1].some((column) => cellText(row, column).toLowerCase().includes(wanted));
    });
  });
  table.parentElement.before(label);
}

function makeTabs(runs) {
  const list = document.createElement("div");
  list.className = "tabs";
  list.setAttribute("role", "tablist");
  list.setAttribute("aria-label", "Runs in detail");
  const tabs = runs.map((run, number) => {
    const tab = document.createElement("button");
    tab.type = "button";
    tab.id = `tab-${number}`;
    tab.textContent = run.querySelector("h2").textContent;
    tab.setAttribute("role", "tab");
    run.setAttribute("role", "tabpanel");
    run.setAttribute("aria-labelledby", tab.id);
    tab.addEventListener("click", () => select(number));
    return tab;
  });
  function select(chosen) {
    tabs.forEach((tab, number) => {
      tab.setAttribute("aria-selected", String(number === chosen));
      tab.tabIndex = number === chosen ? 0 : -1;
      runs[number].hidden = number !== chosen;
    });
  }
  list.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };
    if (!(event.key in steps)) return;
    event.preventDefault();
    const now = tabs.indexOf(document.activeElement);
    const next = Math.min(Math.max(now + steps[event.key], 0), tabs.length - 1);
    select(next);
    tabs[next].focus();
  });
  list.append(...tabs);
  runs[0].before(list);
  select(0);
}

document.querySelectorAll("table.sortable").forEach(makeSortable);
document.querySelectorAll("table.classes").forEach(makeSearchable);
const runs = Array.from(document.querySelectorAll("section.run"));
if (runs.length > 1) makeTabs(runs);
