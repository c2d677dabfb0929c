"use strict";
let data = { mode: "verdicts", rows: [], reasons: [] };
let at = 0;
let busy = false;
const PAST = { accept: "Accepted", reject: "Rejected", fix: "Fixed", gold: "Is a gold question" };

const row = () => data.rows[at];
const isGold = () => data.mode === "gold";
const say = (text) => { $("said").textContent = text; };

function tell(error) {
  $("trouble").textContent = error ? error.message : "";
  $("trouble").hidden = !error;
}

function showPassages(passages) {
  const nodes = passages.map(({ title, parts }) => {
    const node = make("article", "passage");
    const text = make("p");
    text.append(...parts.map((part) => (part.marked ? make("mark", "", part.text) : part.text)));
    node.append(make("h3", "", title), text);
    return node;
  });
  $("passages").replaceChildren(...(nodes.length ? nodes : [make("p", "hint", "This row was made from no passage.")]));
}

function showTurns(turns) {
  $("turns").replaceChildren(...turns.map(({ role, text }) => {
    const node = make("p", "turn");
    node.append(make("b", "", role), text);
    return node;
  }));
}

function showBetter(verdict) {
  const words = verdict && verdict.verdict === "fix" ? verdict : {};
  const nodes = [];
  if (words.question) nodes.push(make("h2", "", "Better question"), make("p", "question", words.question));
  if (words.response) nodes.push(make("h2", "", "Better answer"), make("p", "answer", words.response));
  $("better").replaceChildren(...nodes);
  $("better").hidden = !nodes.length;
}

function showRow() {
  const { task, question, answer, reasoning, turns, passages, verdict } = row();
  $("row-title").textContent = `Row ${at + 1} of ${data.rows.length}, ${task.replaceAll("_", " ")}`;
  $("state").className = `state ${verdict ? verdict.verdict : ""}`;
  $("state").textContent = verdict ? PAST[verdict.verdict] + (verdict.reason ? `: ${verdict.reason}` : "") : "";
  $("question").textContent = question;
  $("answer").textContent = answer;
  $("reasoning").textContent = reasoning;
  $("why").hidden = !reasoning;
  $("why").open = false;
  showTurns(turns);
  showPassages(passages);
  showBetter(verdict);
  closeForms();
  if (isGold()) fillGold(row());
}

function showEnd() {
  const none = !data.rows.length;
  const what = isGold() ? "No row is left that could become a gold question." : "Every row is looked at.";
  $("done-title").textContent = none && !isGold() ? "There is no row for you to look at." : what;
  $("done-next").textContent = "Everything is saved. Press u to take the last one back, or k to go back. "
    + "Then end `stillhouse review` with Ctrl-C, run `dvc repro`, and commit data/seed with git.";
}

function show() {
  const done = data.rows.filter((one) => one.verdict).length;
  $("who").textContent = isGold() ? `Gold questions into ${data.file}` : `by ${data.reviewer}`;
  $("count").textContent = `${done} of ${data.rows.length}`;
  $("bar").max = Math.max(1, data.rows.length);
  $("bar").value = done;
  const ended = at >= data.rows.length;
  $("row").hidden = ended;
  $("done").hidden = !ended;
  openForm("");
  if (ended) showEnd();
  else showRow();
  say(ended ? $("done-title").textContent : `${$("row-title").textContent}. ${row().question}`);
  for (const button of $("keys").children) button.disabled = ended && !["u", "k"].includes(button.dataset.key);
  window.scrollTo(0, 0);
}

function go(step) {
  at = Math.min(Math.max(at + step, 0), data.rows.length);
  tell(null);
  show();
}

// The next row that is still open, else the end.
function goOn() {
  const next = data.rows.findIndex((one, place) => place > at && !one.verdict);
  const first = data.rows.findIndex((one) => !one.verdict);
  at = next >= 0 ? next : first >= 0 ? first : data.rows.length;
  show();
}

async function act(work) {
  if (busy) return;
  busy = true;
  try {
    await work();
    tell(null);
  } catch (error) {
    tell(error);
  }
  busy = false;
}

function save(answer) {
  const { id } = row();
  return act(async () => {
    const saved = await call("/save", { row_id: id, ...answer });
    data.rows.find((one) => one.id === saved.row_id).verdict = saved.verdict;
    drafts.delete(saved.row_id);
    goOn();
  });
}

function undo() {
  return act(async () => {
    const undone = await call("/undo", {});
    const place = data.rows.findIndex((one) => one.id === undone.row_id);
    if (place < 0) return load();
    data.rows[place].verdict = undone.verdict;
    drafts.delete(undone.row_id);
    at = place;
    show();
    say("Taken back.");
  });
}

const reject = () => save({ verdict: "reject", reason: joinReason(chosen, $("note").value.trim()) });
const fix = () => save({
  verdict: "fix", question: $("fix-question").value, response: $("fix-answer").value, reason: $("fix-note").value.trim(),
});
const saveGold = () => save(readGold());

const ACTIONS = [
  { key: "a", name: "accept", text: "Accept", gold: false, act: () => save({ verdict: "accept", reason: "" }) },
  { key: "r", name: "reject", text: "Reject", gold: false, act: openReject },
  { key: "f", name: "fix", text: "Fix", gold: false, act: () => openFix(row()) },
  { key: "f", name: "gold", text: "Write", gold: true, act: () => $("gold-question").focus() },
  { key: "u", name: "undo", text: "Undo", act: undo },
  { key: "k", name: "back", text: "Back", act: () => go(-1) },
  { key: "j", name: "next", text: "Next", act: () => go(1) },
];
const actions = () => ACTIONS.filter((one) => one.gold === undefined || one.gold === isGold());

function onKey(event) {
  const form = openedForm();
  if (event.key === "Escape") {
    if (isGold()) document.activeElement.blur();
    else closeForms();
    return;
  }
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && form) {
    event.preventDefault();
    $(form).requestSubmit();
    return;
  }
  // A key that is held down decides about one row.
  if (isTyping() || event.ctrlKey || event.metaKey || event.altKey || event.repeat || busy) return;
  if (form === "reject") {
    const reason = data.reasons[Number(event.key) - 1];
    if (!reason) return;
    event.preventDefault();
    chosen = reason.code;
    reject();
    return;
  }
  const found = actions().find((one) => one.key === event.key);
  if (!found || form === "fix" || (at >= data.rows.length && !["u", "k"].includes(event.key))) return;
  event.preventDefault();
  found.act();
}

async function load() {
  data = await call("/rows");
  $("keys").replaceChildren(...actions().map(({ name, text, key, act: run }) => {
    const button = makeButton(name, text, key, () => { if (!busy) run(); });
    button.dataset.key = key;
    return button;
  }));
  $("reasons").replaceChildren(...data.reasons.map(({ code, text }, place) => {
    const item = make("li");
    item.append(makeButton("", text, String(place + 1), () => { chosen = code; reject(); }));
    return item;
  }));
  const open = data.rows.findIndex((one) => !one.verdict);
  at = open >= 0 ? open : data.rows.length;
  show();
}

for (const [name, submit] of [["reject", reject], ["fix", fix], ["gold", saveGold]]) {
  $(name).addEventListener("submit", (event) => { event.preventDefault(); submit(); });
  $(name).querySelector(".cancel").addEventListener("click", () => (isGold() ? document.activeElement.blur() : closeForms()));
}
$("gold").addEventListener("input", () => drafts.set(row().id, readGold()));
document.addEventListener("keydown", onKey);
act(load);
