// What changed between two texts, word by word: the rules of stillhouse/diffing/words.py, with the same results.

const PUNCTUATION =
  "!-\\/:-@\\[-\\^`\\{-~\\u00a1-\\u00a9\\u00ab-\\u00b1\\u00b4\\u00b6-\\u00b8\\u00bb\\u00bf" +
  "\\u05be\\u05c0\\u05c3\\u060c\\u061b\\u061f\\u066a-\\u066d\\u06d4\\u0964\\u0965" +
  "\\u2010-\\u2027\\u2030-\\u205e\\u3001-\\u3020\\uff01-\\uff0f\\uff1a-\\uff20";
const IDEOGRAPHS = "\\u3040-\\u30ff\\u3400-\\u4dbf\\u4e00-\\u9fff\\uf900-\\ufaff";
const LETTER = `[^\\s${PUNCTUATION}${IDEOGRAPHS}]`;
const TOKEN = new RegExp(
  `[0-9]+(?:[.,:][0-9]+)+|${LETTER}+(?:['\\u2019]${LETTER}+)*|\\s|[${PUNCTUATION}]|[${IDEOGRAPHS}]`,
  "gu",
);
const PLAIN = new RegExp(`^[\\s${PUNCTUATION}]+$`, "u");
const SENTENCE_ENDS = new Set([".", "!", "?", "。", "！", "？"]);
const CELLS = 400_000_000; // of a comparison's table, one bit each: two texts of 10,000 words
const LONGEST_ISLAND = 32;

/** Return the pieces [{kind: "same" | "old" | "new", text}] of two texts in reading order. */
function diffWords(old, now) {
  const before = old.match(TOKEN) ?? [];
  const after = now.match(TOKEN) ?? [];
  const edits = joinEdits(compareTokens(before, after), before, after);
  slideEdits(edits, before, after);
  return cutPieces(edits, before, after);
}

function compareTokens(before, after) {
  if (before.length * after.length <= CELLS) return matchTokens(before, after);
  const [lines, others] = [groupLines(before), groupLines(after)];
  const whole = { old: 0, oldEnd: before.length, now: 0, nowEnd: after.length };
  if (lines.length * others.length > CELLS) return [whole];
  const [starts, otherStarts] = [startsOf(lines), startsOf(others)];
  const joined = [lines, others].map((all) => all.map((line) => line.join("")));
  return matchTokens(...joined).flatMap((edit) =>
    compareWithin(
      {
        old: starts[edit.old],
        oldEnd: starts[edit.oldEnd],
        now: otherStarts[edit.now],
        nowEnd: otherStarts[edit.nowEnd],
      },
      before,
      after,
    ),
  );
}

function compareWithin(edit, before, after) {
  const parts = [before.slice(edit.old, edit.oldEnd), after.slice(edit.now, edit.nowEnd)];
  if (parts[0].length * parts[1].length > CELLS) return [edit];
  return matchTokens(...parts).map((inner) => ({
    old: inner.old + edit.old,
    oldEnd: inner.oldEnd + edit.old,
    now: inner.now + edit.now,
    nowEnd: inner.nowEnd + edit.now,
  }));
}

/** Return the lines of a text as lists of tokens; a line ends with the token that breaks it. */
function groupLines(tokens) {
  const lines = [[]];
  for (const token of tokens) {
    lines.at(-1).push(token);
    if (token === "\n") lines.push([]);
  }
  return lines.filter((line) => line.length);
}

function startsOf(lines) {
  const starts = [0];
  for (const line of lines) starts.push(starts.at(-1) + line.length);
  return starts;
}

/** Return what differs as edits, by a longest common subsequence. */
function matchTokens(before, after) {
  const numbers = new Map();
  const number = (token) => {
    if (!numbers.has(token)) numbers.set(token, numbers.size);
    return numbers.get(token);
  };
  const [a, b] = [before.map(number), after.map(number)];
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let end = 0;
  const most = Math.min(a.length, b.length) - start;
  while (end < most && a[a.length - 1 - end] === b[b.length - 1 - end]) end += 1;
  const inner = [a.slice(start, a.length - end), b.slice(start, b.length - end)];
  return alignTokens(...inner).map((edit) => ({
    old: edit.old + start,
    oldEnd: edit.oldEnd + start,
    now: edit.now + start,
    nowEnd: edit.nowEnd + start,
  }));
}

/** Walk back through the table of Hyyrö's bit-parallel LCS (as rapidfuzz does) and return the edits. */
function alignTokens(a, b) {
  if (!a.length && !b.length) return [];
  const words = Math.ceil(a.length / 32);
  const table = fillTable(a, b, words);
  const isSet = (row, column) => (table[row * words + (column >>> 5)] >>> (column & 31)) & 1;
  const edits = [];
  let [column, row] = [a.length, b.length];
  const note = (old, oldEnd, now, nowEnd) => {
    const next = edits.at(-1);
    if (next && next.old === oldEnd && next.now === nowEnd) Object.assign(next, { old, now });
    else edits.push({ old, oldEnd, now, nowEnd });
  };
  while (row && column) {
    if (isSet(row - 1, column - 1)) {
      note(column - 1, column, row, row);
      column -= 1;
    } else {
      row -= 1;
      if (row && !isSet(row - 1, column - 1)) note(column, column, row, row + 1);
      else column -= 1;
    }
  }
  if (row || column) note(0, column, 0, row);
  return edits.reverse();
}

/** Return a row of bits for each token of `b`: bit i is 0 where a[i] adds to the longest subsequence. */
function fillTable(a, b, words) {
  const places = new Map();
  a.forEach((token, i) => {
    if (!places.has(token)) places.set(token, []);
    places.get(token).push(i);
  });
  const table = new Uint32Array(words * b.length);
  const state = new Uint32Array(words).fill(0xffffffff);
  const matches = new Uint32Array(words);
  b.forEach((token, row) => {
    const found = places.get(token) ?? [];
    for (const i of found) matches[i >>> 5] |= 1 << (i & 31);
    let carry = 0;
    for (let word = 0; word < words; word += 1) {
      const both = (state[word] & matches[word]) >>> 0;
      const sum = state[word] + both + carry;
      carry = sum > 0xffffffff ? 1 : 0;
      state[word] = (sum >>> 0) | (state[word] - both);
    }
    table.set(state, row * words);
    for (const i of found) matches[i >>> 5] = 0;
  });
  return table;
}

/** Join edits across an island of common text that is smaller than both. */
function joinEdits(edits, before, after) {
  const [was, now] = [countLetters(before), countLetters(after)];
  const extent = (edit) => Math.max(was[edit.oldEnd] - was[edit.old], now[edit.nowEnd] - now[edit.now]);
  const isIsland = (first, last) => {
    const letters = was[last.old] - was[first.oldEnd];
    return letters <= LONGEST_ISLAND && letters <= extent(first) && letters <= extent(last);
  };
  const joined = [];
  for (const edit of edits) {
    joined.push(edit);
    while (joined.length > 1 && isIsland(joined.at(-2), joined.at(-1))) {
      const last = joined.pop();
      const first = joined.pop();
      joined.push({ old: first.old, oldEnd: last.oldEnd, now: first.now, nowEnd: last.nowEnd });
    }
  }
  return joined;
}

function countLetters(tokens) {
  const counts = [0];
  for (const token of tokens) counts.push(counts.at(-1) + (PLAIN.test(token) ? 0 : [...token].length));
  return counts;
}

/** Move what was only taken out or put in to where a reader would cut: at lines, sentences, words. */
function slideEdits(edits, before, after) {
  edits.forEach((edit, n) => {
    const low = n ? edits[n - 1].oldEnd + 1 : 0;
    const high = n + 1 < edits.length ? edits[n + 1].old - 1 : before.length;
    const room = [low - edit.old, high - edit.oldEnd];
    let step = 0;
    if (edit.old === edit.oldEnd) step = bestStep(after, edit.now, edit.nowEnd, ...room);
    else if (edit.now === edit.nowEnd) step = bestStep(before, edit.old, edit.oldEnd, ...room);
    for (const name of ["old", "oldEnd", "now", "nowEnd"]) edit[name] += step;
  });
}

function bestStep(tokens, start, end, low, high) {
  let first = 0;
  while (first > low && tokens[start + first - 1] === tokens[end + first - 1]) first -= 1;
  let last = 0;
  while (last < high && tokens[start + last] === tokens[end + last]) last += 1;
  let [best, most] = [0, -1];
  for (let step = first; step <= last; step += 1) {
    const rate = rateCut(tokens, start + step) + rateCut(tokens, end + step);
    if (rate > most) [best, most] = [step, rate];
  }
  return best;
}

/** Return how well a text may be cut before the token at `place`. */
function rateCut(tokens, place) {
  if (place === 0 || place === tokens.length) return 5;
  const last = tokens[place - 1];
  if (last === "\n") return 4;
  if (!last.trim()) return place > 1 && SENTENCE_ENDS.has(tokens[place - 2]) ? 3 : 2;
  return PLAIN.test(last) || PLAIN.test(tokens[place]) ? 1 : 0;
}

function cutPieces(edits, before, after) {
  const pieces = [];
  const add = (kind, tokens) => {
    if (tokens.length) pieces.push({ kind, text: tokens.join("") });
  };
  let place = 0;
  for (const edit of edits) {
    add("same", before.slice(place, edit.old));
    add("old", before.slice(edit.old, edit.oldEnd));
    add("new", after.slice(edit.now, edit.nowEnd));
    place = edit.oldEnd;
  }
  add("same", before.slice(place));
  return pieces;
}
