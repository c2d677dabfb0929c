// A row that is open: why it differs, its texts with the words that changed, and its ids.

const COLUMNS = { response: "Answer", reasoning: "Reasoning", context: "Passage" };
const SHORT = 12; // digits of an id that are shown
const CAME = "new";
const WENT = "old";

/** Return what stands below a row's line. `facts` are its kind, slot, causes, task and document. */
function showDetail(row, facts, isSide) {
  const { old, new: now } = row;
  return make(
    "div",
    { class: "inside" },
    showReasons(row, facts),
    showQuestions(old, now, isSide),
    ...Object.keys(COLUMNS).map((name) => showColumn(name, old, now, isSide)),
    showHoldout(old, now),
    showPlaces(row, facts),
  );
}

function showReasons(row, { kind, causes }) {
  const list = make("ul", { class: "causes", "aria-label": "Causes" });
  for (const cause of causes) {
    const named = row.named[cause];
    list.append(make("li", {}, make("b", {}, cause), named ? make("code", {}, named) : ""));
  }
  const why = row.why ? make("p", { class: "why", dir: "auto" }, row.why) : "";
  return make("div", { class: `reasons ${kind}` }, why, causes.length ? list : "");
}

/** Return the turns up to the answer; a single turn of the user needs no name. */
function showQuestions(old, now, isSide) {
  const [before, after] = [old?.question ?? [], now?.question ?? []];
  const count = Math.max(before.length, after.length);
  const isPlain = count === 1 && (after[0] ?? before[0])[0] === "user";
  const isSame = old && now && JSON.stringify(before) === JSON.stringify(after);
  const section = makeColumn(isPlain ? "Question" : "Conversation", isSame);
  for (let turn = 0; turn < count; turn += 1) {
    const [one, other] = [before[turn], after[turn]];
    if (!isPlain) section.append(make("h5", {}, [one?.[0], other?.[0]].filter(isNewIn).join(" → ")));
    section.append(showPair(old && (one?.[1] ?? ""), now && (other?.[1] ?? ""), isSide));
  }
  return section;
}

/** Keep what is there, and of equal ones the first. */
function isNewIn(value, place, all) {
  return Boolean(value) && all.indexOf(value) === place;
}

function showColumn(name, old, now, isSide) {
  const [before, after] = [old?.[name], now?.[name]];
  if (!before && !after) return "";
  if (name === "context" && [old, now].every(asksWithPassage)) return "";
  const isSame = before === after;
  if (isSame && name !== "response") return showFolded(COLUMNS[name], after);
  const section = makeColumn(COLUMNS[name], isSame);
  section.append(showPair(before, after, isSide));
  return section;
}

/** A passage that stands in the question has been shown there; so has the one of a version that is not. */
function asksWithPassage(side) {
  return !side || side.question.some(([, content]) => content.includes(side.context.trim()));
}

function makeColumn(title, isSame) {
  const note = isSame ? make("small", {}, " unchanged") : "";
  return make("section", { class: "column" }, make("h4", {}, title, note));
}

function showFolded(title, text) {
  const summary = make("summary", {}, make("h4", {}, title, make("small", {}, " unchanged")));
  return make("details", { class: "column" }, summary, showText(text));
}

/** Return both texts compared; undefined or null stands for a version without the row. */
function showPair(before, after, isSide) {
  if (typeof before !== "string") return showText(after, CAME);
  if (typeof after !== "string") return showText(before, WENT);
  if (before === after) return showText(after);
  return isSide ? showSides(before, after) : showInline(before, after);
}

/** Say where a row stands in the split, if it is or was held out. */
function showHoldout(old, now) {
  if (!old?.holdout && !now?.holdout) return "";
  const names = [old, now].map((side) => side && (side.holdout || "not held out"));
  const isSame = names[0] === names[1];
  const section = makeColumn("Held out", isSame);
  const moved = old && now && !isSame;
  const said = moved ? [make("del", {}, names[0]), " → ", make("ins", {}, names[1])] : [names[1] ?? names[0]];
  section.append(make("p", {}, ...said));
  return section;
}

/** Return the place and the ids, each to be copied whole. */
function showPlaces(row, { slot }) {
  const list = make("dl", { class: "ids" });
  const add = (name, ...values) => list.append(make("dt", {}, name), make("dd", {}, ...values));
  add("place", ...(row.from && row.from !== slot ? [makeCopy(row.from, row.from), " → "] : []), makeCopy(slot, slot));
  const names = new Set([...Object.keys(row.old?.ids ?? {}), ...Object.keys(row.new?.ids ?? {})]);
  for (const name of names) {
    const values = [row.old?.ids[name], row.new?.ids[name]].filter(isNewIn);
    add(name, ...values.flatMap((id, i) => [i ? " → " : "", makeCopy(id.slice(0, SHORT), id)]));
  }
  add("link", makeButton("Copy the link to this row", (event) => copyText(event.currentTarget, location.href), { class: "copy" }));
  return list;
}

function makeCopy(shown, whole) {
  const attributes = { class: "copy", title: `Copy ${whole}`, "aria-label": `Copy ${whole}` };
  return makeButton(shown, (event) => copyText(event.currentTarget, whole), attributes);
}

/** Copy a text; where the browser does not allow it, say so and select nothing. */
async function copyText(button, text) {
  let done = "copied";
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    done = copyBySelection(text) ? "copied" : "not allowed here";
  }
  button.dataset.said = done;
  setTimeout(() => delete button.dataset.said, 1500);
}

/** The older way, for pages opened from a file where the newer one is not allowed. */
function copyBySelection(text) {
  const field = make("textarea", { "aria-hidden": "true", class: "unseen" });
  field.value = text;
  document.body.append(field);
  const focused = document.activeElement;
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  focused?.focus();
  return done;
}
