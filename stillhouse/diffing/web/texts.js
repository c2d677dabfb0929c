// Texts of two versions, marked where they differ: by underline and strike as much as by colour.

const MARKS = { same: "span", old: "del", new: "ins" };
const LONG = 6000; // characters of a text whose change the list does not look for
const BEFORE = 48; // characters that the list shows before a change
const MOST = 400; // characters that the list shows of a text

function markPiece({ kind, text }) {
  const isBlank = kind !== "same" && !text.trim();
  return make(MARKS[kind], {}, isBlank ? showBlank(text) : text);
}

/** Blank text that came or went would not be seen: its line breaks get a sign that is not part of it. */
function showBlank(text) {
  return text.replaceAll("\n", "↵\n");
}

/** Return a text that one version alone has. */
function showText(text, kind = "same") {
  return make("div", { class: `text ${kind}`, dir: "auto" }, text);
}

/** Return both texts in one, what went struck and what came underlined. */
function showInline(old, now) {
  return make("div", { class: "text", dir: "auto" }, ...diffWords(old, now).map(markPiece));
}

/** Return both texts side by side, their paragraphs at one height while they are the same. */
function showSides(old, now) {
  const names = ["A", "B"].map((name) => make("span", { class: "side" }, name));
  const grid = make("div", { class: "sides" }, ...names);
  for (const [left, right] of splitSides(diffWords(old, now))) {
    grid.append(
      make("div", { class: "text", dir: "auto" }, ...left.map(markPiece)),
      make("div", { class: "text", dir: "auto" }, ...right.map(markPiece)),
    );
  }
  return grid;
}

/** Return pairs of lists of pieces; a new pair begins where both versions begin a line. */
function splitSides(pieces) {
  const pairs = [[[], []]];
  for (const piece of pieces) {
    if (piece.kind !== "same") {
      pairs.at(-1)[piece.kind === "old" ? 0 : 1].push(piece);
      continue;
    }
    const lines = piece.text.split(/(?<=\n)(?!\n)/u);
    lines.forEach((text, i) => {
      if (i) pairs.push([[], []]);
      const ends = i + 1 < lines.length ? text.replace(/\n$/u, "") : text;
      for (const side of pairs.at(-1)) side.push({ kind: "same", text: ends });
    });
  }
  return pairs;
}

/** Return a line for the list: the first change of two texts with what stands around it. */
function showBriefly(old, now) {
  if (old.length > LONG || now.length > LONG) return [cutText(now, 0, MOST)];
  const pieces = diffWords(old, now);
  const first = pieces[0];
  if (first?.kind === "same" && first.text.length > BEFORE) {
    pieces[0] = { kind: "same", text: `…${cutText(first.text, -BEFORE).replace(/^\S*\s/u, "")}` };
  }
  let left = MOST;
  const shown = [];
  for (const { kind, text } of pieces) {
    if (left <= 0) break;
    shown.push(make(MARKS[kind], {}, cutText(text, 0, left).replace(/\s+/gu, " ")));
    left -= text.length;
  }
  return shown;
}

/** Return a part of a text without half a character at its ends. */
function cutText(text, start, end) {
  return text.slice(start, end).replace(/^[\udc00-\udfff]|[\ud800-\udbff]$/g, "");
}
