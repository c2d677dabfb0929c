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

function fillGold(row) {
  const saved = row.verdict || row;
  $("gold-question").value = row.verdict ? row.verdict.question : "";
  $("gold-answers").value = saved.answers.join("\n");
  fillSelect($("gold-kind"), data.kinds.map((kind) => ({ value: kind, text: kind.replace("_", " ") })), saved.kind);
  const facts = row.facts.map(({ id, fact }) => ({ value: id, text: `${id}: ${fact}` }));
  fillSelect($("gold-fact"), [{ value: "", text: "none" }, ...facts], saved.fact);
  openForm("gold");
}
