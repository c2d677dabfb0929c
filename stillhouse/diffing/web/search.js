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
    this.last = null; // {words, hits} of the last search through all texts
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
    const within = this.narrows(words) ? this.last.hits : null;
    let since = performance.now();
    for (let block = 0; block < this.blocks.length; block += 1) {
      markHits(hits, this.blocks[block], this.texts.starts[block], words, within);
      if (performance.now() - since > PAUSE) {
        await breathe();
        if (!isWanted()) return hits;
        since = performance.now();
      }
    }
    if (this.share === 1) this.last = { words, hits };
    return hits;
  }

  /** Tell whether whatever holds these words held those of the last search: a word goes on being typed. */
  narrows(words) {
    return this.last?.words.every((old) => words.some((word) => word.includes(old)));
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

/** Note which rows of a block hold all words; each is looked for only where all before it were. */
function markHits(hits, { text, starts }, first, words, within) {
  const rows = starts.length - 1;
  let left = within ? within.slice(first, first + rows) : new Uint8Array(rows).fill(1);
  for (const word of words) {
    const found = new Uint8Array(rows);
    let at = -1;
    for (let row = left.indexOf(1); row >= 0; row = left.indexOf(1, row + 1)) {
      if (at < starts[row]) at = text.indexOf(word, starts[row]);
      if (at < 0) break;
      if (at < starts[row + 1]) found[row] = 1;
    }
    left = found;
  }
  hits.set(left, first);
}
