"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const said = document.getElementById("said");
  // Everything from documents and teachers becomes a text node, never markup.
  const make = (tag, text, name) => {
    const node = document.createElement(tag);
    if (text !== undefined) node.textContent = text;
    if (name) node.className = name;
    return node;
  };
  const makeCopy = (hash) => {
    const button = make("button", undefined, "copy");
    button.type = "button";
    button.dataset.copy = hash;
    button.title = "Copy " + hash;
    button.append(make("span", hash.slice(0, 16) + "…"));
    return button;
  };

  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = make("textarea", text);
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
  };
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button.copy");
    if (!button) return;
    await copy(button.dataset.copy);
    button.dataset.done = "";
    said.textContent = "Copied " + button.dataset.copy;
    setTimeout(() => delete button.dataset.done, 1600);
  });

  const mark = (passage, spans) => {
    const node = make("div", undefined, "passage");
    node.append(make("span", passage.source + " · " + passage.anchor, "from"));
    let at = 0;
    for (const [start, end] of spans) {
      node.append(passage.text.slice(at, start), make("mark", passage.text.slice(start, end)));
      at = end;
    }
    node.append(passage.text.slice(at));
    return node;
  };
  const tell = (list, name, ...content) => {
    const value = make("dd");
    value.append(...content);
    list.append(make("dt", name), value);
    return value;
  };
  const describe = (row) => {
    const list = make("dl");
    tell(list, "Answer", row.answer).className = "answer";
    if (row.reasoning) tell(list, "Reasoning", row.reasoning);
    for (const shown of row.passages) {
      const share = shown.words + " of the answer’s " + shown.of + " words stand there, marked";
      tell(list, "Passage", mark(data.passages[shown.at], shown.spans), make("small", share));
    }
    if (row.missing) tell(list, "Passage", row.missing + " cannot be shown: no table here has it");
    if (!row.passages.length && !row.missing) tell(list, "Passage", "none: the row came of no document");
    const asked = [row.teacher, row.prompt].filter(Boolean).join(", by ");
    tell(list, "Asked of", asked || "not known", " · request ", makeCopy(row.request));
    if (row.scores.length) tell(list, "Judged", row.scores.map((one) => one.join(" ")).join(", "));
    if (row.review.length) tell(list, "Reviewed", row.review.filter(Boolean).join(", "));
    tell(list, "Row", makeCopy(row.id));
    return list;
  };
  const open = (button) => {
    const rows = data.documents[button.dataset.document] || [];
    const line = make("tr", undefined, "opened");
    const cell = make("td");
    cell.colSpan = button.closest("tr").cells.length;
    const browser = make("div", undefined, "browser");
    const all = Number(button.dataset.rows);
    const told = rows.length === 0 ? "No room for its rows on this page; stillhouse trace shows each."
      : rows.length < all ? rows.length + " of its " + all.toLocaleString("en") + " rows, drawn by hash."
      : "All of its rows.";
    browser.append(make("p", told, "lede"));
    for (const at of rows) {
      const row = data.rows[at];
      const details = make("details");
      const summary = make("summary", row.question);
      summary.append(make("small", row.task));
      details.append(summary);
      details.addEventListener("toggle", () => {
        if (details.open && details.children.length === 1) details.append(describe(row));
      });
      browser.append(details);
    }
    cell.append(browser);
    line.append(cell);
    button.closest("tr").after(line);
    button.setAttribute("aria-expanded", "true");
  };
  const shut = (button) => {
    const next = button.closest("tr").nextElementSibling;
    if (next && next.classList.contains("opened")) next.remove();
    button.setAttribute("aria-expanded", "false");
  };
  document.querySelectorAll("button.toggle").forEach((button) => {
    button.addEventListener("click", () =>
      button.getAttribute("aria-expanded") === "true" ? shut(button) : open(button));
  });

  document.querySelectorAll("table.data").forEach((table) => {
    const body = table.tBodies[0];
    const shutAll = () => table.querySelectorAll("button.toggle[aria-expanded=true]").forEach(shut);
    table.querySelectorAll("thead button").forEach((button) => {
      button.addEventListener("click", () => {
        shutAll();
        const head = button.closest("th");
        const number = head.classList.contains("num");
        const up = head.getAttribute("aria-sort") === "descending" || (!number && !head.hasAttribute("aria-sort"));
        table.querySelectorAll("th[aria-sort]").forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const key = (row) => {
          const text = row.cells[head.cellIndex].innerText.trim();
          return number ? Number(text.replace(/[^0-9.-]/g, "")) : text;
        };
        const order = number ? (a, b) => a - b : (a, b) => a.localeCompare(b, "en");
        const rows = [...body.rows].map((row) => [key(row), row]);
        rows.sort((a, b) => (up ? 1 : -1) * order(a[0], b[0]));
        body.append(...rows.map((pair) => pair[1]));
      });
    });
    const field = document.querySelector('input[data-filters="' + table.id + '"]');
    if (!field) return;
    const shown = document.getElementById(table.id + "-shown");
    field.addEventListener("input", () => {
      shutAll();
      const wanted = field.value.trim().toLowerCase();
      let count = 0;
      for (const row of body.rows) {
        row.hidden = !row.textContent.toLowerCase().includes(wanted);
        count += row.hidden ? 0 : 1;
      }
      shown.textContent = count + " of " + body.rows.length;
    });
  });
})();
