// Search: all words, anywhere in a row's places, questions and answers of both versions, whatever their case.

const BETWEEN = "\u0000";
const PAUSE = 12; // milliseconds of work before the page may breathe

/** A promise that lets keys, scrolling and painting go first. */
function breathe() {
  return new Promise((resolve) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = resolve;
    channel.port2.postMessage(null);
  });
}

/** Return the words of a query in lower case, each once. */
function wordsOf(query) {
  return [...new Set(query.toLowerCase().split(/\s+/u).filter(Boolean))];
}

class Search {
  constructor(index, texts) {
    this.index = index;
    this.texts = texts;
    this.blocks = []; // {text, starts}: the rows of a block in lower case, and where each begins
  }

  get share() {
    return this.texts.elements.length ? this.blocks.length / this.texts.elements.length : 1;
  }

  /** Read all texts, two blocks ahead; calls `tell` now and then, and at the end. */
  async read(tell) {
    const count = this.texts.elements.length;
    const coming = [];
    let told = performance.now();
    for (let block = 0; block < count; block += 1) {
      while (coming.length < 3 && block + coming.length < count) coming.push(this.texts.read(block + coming.length));
      this.blocks.push(joinRows(await coming.shift(), this.index.slots, this.texts.starts[block]));
      await breathe();
      if (performance.now() - told > 250) {
        told = performance.now();
        tell();
      }
    }
    await tell();
  }

  /** Return 1 by row that holds all words, or null where there is no word. Rows not read yet hold none. */
  async match(query, isWanted) {
    const words = wordsOf(query);
    if (!words.length) return null;
    words.sort((one, other) => other.length - one.length);
    const hits = new Uint8Array(this.index.size);
    let since = performance.now();
    for (let block = 0; block < this.blocks.length; block += 1) {
      markHits(hits, this.blocks[block], this.texts.starts[block], words);
      if (performance.now() - since > PAUSE) {
        await breathe();
        if (!isWanted()) return hits;
        since = performance.now();
      }
    }
    return hits;
  }
}

function joinRows(rows, slots, first) {
  const starts = new Uint32Array(rows.length + 1);
  const lowered = rows.map((row, i) => textOf(row, slots[first + i]).toLowerCase() + BETWEEN);
  lowered.forEach((text, i) => {
    starts[i + 1] = starts[i] + text.length;
  });
  return { text: lowered.join(""), starts };
}

function textOf(row, slot) {
  const parts = [slot];
  if (row.from) parts.push(row.from);
  for (const side of [row.old, row.new]) {
    if (side && !(side === row.new && row.old?.question === side.question)) {
      for (const [, content] of side.question) parts.push(content);
    }
    if (side && !(side === row.new && row.old?.response === side.response)) parts.push(side.response);
  }
  return parts.join("\n");
}

function markHits(hits, { text, starts }, first, words) {
  const rows = starts.length - 1;
  let left = null; // rows of this block that hold all words so far
  for (const word of words) {
    const found = new Uint8Array(rows);
    let [any, row] = [false, 0];
    for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, starts[row])) {
      row = rowAt(starts, at, row);
      if (!left || left[row]) {
        found[row] = 1;
        any = true;
      }
      row += 1;
      if (row >= rows) break;
    }
    if (!any) return;
    left = found;
  }
  hits.set(left, first);
}

function rowAt(starts, place, from) {
  let [low, high] = [from, starts.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if (starts[middle] <= place) low = middle;
    else high = middle;
  }
  return low;
}
