"use strict";
const FORMS = ["reject", "fix", "gold"];
let chosen = "";

// While rows are judged a form stands alone: the other actions come back with its end.
function openForm(name) {
  for (const other of FORMS) $(other).hidden = other !== name;
  $("keys").hidden = name === "reject" || name === "fix";
}

function closeForms() {
  openForm("");
  if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
}

function openedForm() {
  return FORMS.find((name) => !$(name).hidden) || "";
}

function isTyping() {
  return ["INPUT", "TEXTAREA", "SELECT"].includes(document.activeElement.tagName);
}

function joinReason(code, note) {
  return code && note ? `${code}: ${note}` : code || note;
}

function openReject() {
  chosen = "";
  $("note").value = "";
  openForm("reject");
  $("reject").querySelector(".main").focus();
}

function openFix(row) {
  const before = row.verdict && row.verdict.verdict === "fix" ? row.verdict : {};
  $("fix-question").value = before.question || row.question;
  $("fix-answer").value = before.response || row.answer;
  $("fix-note").value = before.reason || "";
  openForm("fix");
  $("fix-answer").focus();
}

const GOLD = ["question", "answers", "kind", "fact"];
// What was typed and not saved yet, by row: it is there again when somebody comes back.
const drafts = new Map();

function readGold() {
  return Object.fromEntries(GOLD.map((name) => [name, $(`gold-${name}`).value]));
}

function fillGold(row) {
  const saved = row.verdict || row;
  const shown = { ...saved, question: row.verdict ? row.verdict.question : "", answers: saved.answers.join("\n"), ...drafts.get(row.id) };
  $("gold-question").value = shown.question;
  $("gold-answers").value = shown.answers;
  fillSelect($("gold-kind"), data.kinds.map((kind) => ({ value: kind, text: kind.replace("_", " ") })), shown.kind);
  const facts = row.facts.map(({ id, fact }) => ({ value: id, text: `${id}: ${fact}` }));
  fillSelect($("gold-fact"), [{ value: "", text: "none" }, ...facts], shown.fact);
  openForm("gold");
}
