// The rows as they lie packed in the page: the index of all of them, read once, and texts of a few when wanted.

const FACETS = ["kind", "cause", "name", "column", "task", "document", "filter"];
const KINDS = ["added", "removed", "changed"];
const KEPT = 24; // blocks of texts that stay unpacked

/** Return what a data block holds. */
async function unpack(element) {
  const stream = new Blob([decodeBase64(element.textContent)]).stream();
  return new Response(stream.pipeThrough(new DecompressionStream("gzip"))).json();
}

function decodeBase64(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

/**
 * Read the index: slots and lines by row, and for each facet `codes` (a number by row) with `sets`, the values that a
 * number stands for.
 */
async function readIndex() {
  const blocks = await Promise.all([...document.querySelectorAll("script.index")].map(unpack));
  const size = blocks.reduce((sum, block) => sum + block.slots.length, 0);
  const index = { size, slots: [], lines: [], facets: {} };
  for (const name of FACETS) index.facets[name] = { codes: new Uint32Array(size), sets: [] };
  index.facets.kind.sets = KINDS.map((kind) => [kind]);
  const known = Object.fromEntries(FACETS.map((name) => [name, new Map()]));
  for (const block of blocks) addBlock(index, block, known);
  return index;
}

function addBlock(index, block, known) {
  const start = index.slots.length;
  for (const slot of block.slots) index.slots.push(slot);
  for (const line of block.lines) index.lines.push(line);
  for (let i = 0; i < block.kinds.length; i += 1) {
    index.facets.kind.codes[start + i] = "arc".indexOf(block.kinds[i]);
  }
  for (const name of FACETS.slice(1)) {
    const facet = index.facets[name];
    const codes = block[name].names.map((value) => numberOf(value, facet, known[name]));
    block[name].codes.forEach((code, i) => {
      facet.codes[start + i] = codes[code];
    });
  }
}

function numberOf(value, facet, known) {
  const key = JSON.stringify(value);
  if (!known.has(key)) {
    known.set(key, facet.sets.length);
    facet.sets.push([value].flat().filter((one) => one !== ""));
  }
  return known.get(key);
}

/** The blocks of texts: which block a row is in, and its texts. */
class Texts {
  constructor() {
    this.elements = [...document.querySelectorAll("script.texts")];
    this.starts = [0];
    for (const element of this.elements) this.starts.push(this.starts.at(-1) + Number(element.dataset.rows));
    this.kept = new Map(); // block -> promise of its rows, the latest used last
    this.ready = new Map(); // block -> rows, of those in `kept` that are unpacked
  }

  blockOf(row) {
    let [low, high] = [0, this.elements.length];
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (this.starts[middle] <= row) low = middle;
      else high = middle;
    }
    return low;
  }

  /** Return the texts of a row if they are unpacked, else null. */
  peek(row) {
    const block = this.blockOf(row);
    return this.ready.get(block)?.[row - this.starts[block]] ?? null;
  }

  async get(row) {
    const block = this.blockOf(row);
    return (await this.load(block))[row - this.starts[block]];
  }

  load(block) {
    const rows = this.kept.get(block) ?? this.read(block).then((read) => this.keep(block, read));
    this.kept.delete(block);
    this.kept.set(block, rows);
    return rows;
  }

  keep(block, rows) {
    this.ready.set(block, rows);
    const [oldest] = this.kept.keys();
    if (this.kept.size > KEPT && oldest !== block) {
      this.kept.delete(oldest);
      this.ready.delete(oldest);
    }
    return rows;
  }

  /** Unpack a block without keeping it. */
  async read(block) {
    return (await unpack(this.elements[block])).map(fillRow);
  }
}

/** Of the new version the page holds only what is not as in the old one. */
function fillRow(row) {
  return { why: "", named: {}, from: "", ...row, new: row.new && { ...row.old, ...row.new } };
}
