"use strict";
// All text of documents, teachers and people goes into the page as text, never as markup.
const $ = (id) => document.getElementById(id);

function make(name, className, text) {
  const node = document.createElement(name);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function makeButton(className, text, key, act) {
  const button = make("button", className, text);
  button.type = "button";
  if (key) button.append(make("kbd", "", key));
  button.addEventListener("click", act);
  return button;
}

function fillSelect(select, options, chosen) {
  select.replaceChildren(...options.map(({ value, text }) => {
    const option = make("option", "", text);
    option.value = value;
    option.selected = value === chosen;
    return option;
  }));
}

// The token comes with the link and stays in this tab: another port of this machine shares cookies, not this.
const TOKEN = (() => {
  const given = new URLSearchParams(location.search).get("token");
  if (given) {
    sessionStorage.setItem("token", given);
    history.replaceState(null, "", "/");
  }
  return given || sessionStorage.getItem("token") || "";
})();

async function call(path, body) {
  const headers = { "X-Stillhouse-Token": TOKEN };
  if (body) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body) });
  } catch {
    throw new Error("The server does not answer, and this was not saved. What was saved before is safe. Start `stillhouse review` again and open its link.");
  }
  if (answer.status === 403) throw new Error("This link is of an earlier run. Open the link that `stillhouse review` printed last.");
  const value = await answer.json().catch(() => ({ error: `The server answered ${answer.status}; this was not saved.` }));
  if (!answer.ok) throw new Error(value.error);
  return value;
}
