// Which rows are shown: within a facet any of the chosen values, across facets all, and the search on top.

/** What is chosen: a set of values for each facet, and the words searched for. */
class Choice {
  constructor() {
    this.sets = Object.fromEntries(FACETS.map((name) => [name, new Set()]));
    this.query = "";
  }

  get isEmpty() {
    return !this.query && FACETS.every((name) => !this.sets[name].size);
  }

  toggle(name, value) {
    if (!this.sets[name].delete(value)) this.sets[name].add(value);
  }

  clear() {
    for (const name of FACETS) this.sets[name].clear();
    this.query = "";
  }
}

/**
 * Return the rows shown, in order, and `counts`: for each facet a map from value to its [added, removed, changed] rows. A
 * facet's own choice does not narrow its own counts, so that they say what choosing another value would show.
 */
function applyChoice(index, choice, hits) {
  const kinds = index.facets.kind.codes;
  const tests = FACETS.map((name) => makeTest(index.facets[name], choice.sets[name]));
  const shown = new Uint32Array(index.size);
  let size = 0;
  for (let row = 0; row < index.size; row += 1) {
    if (hits && !hits[row]) continue;
    const missed = findMissed(tests, row);
    if (missed === SEVERAL) continue;
    if (missed === null) shown[size++] = row;
    for (const test of tests) {
      if (missed === null || missed === test) test.tally[test.codes[row] * 3 + kinds[row]] += 1;
    }
  }
  const counts = Object.fromEntries(tests.map((test, i) => [FACETS[i], countValues(test)]));
  return { shown: shown.subarray(0, size), counts };
}

const SEVERAL = Symbol("several facets leave the row out");

function makeTest({ codes, sets }, chosen) {
  const passes = chosen.size ? sets.map((values) => values.some((value) => chosen.has(value))) : null;
  return { codes, sets, passes, tally: new Uint32Array(sets.length * 3) };
}

/** Return the one test that leaves a row out, null if none does. */
function findMissed(tests, row) {
  let missed = null;
  for (const test of tests) {
    if (test.passes && !test.passes[test.codes[row]]) {
      if (missed) return SEVERAL;
      missed = test;
    }
  }
  return missed;
}

function countValues({ sets, tally }) {
  const counts = new Map();
  sets.forEach((values, code) => {
    for (const value of values) {
      const count = counts.get(value) ?? [0, 0, 0];
      for (let kind = 0; kind < 3; kind += 1) count[kind] += tally[code * 3 + kind];
      counts.set(value, count);
    }
  });
  return counts;
}

const sum = (counts) => counts.reduce((total, count) => total + count, 0);

/** The buttons of page.html that filter: what is chosen, how many rows, and bars in the colours of what became of them. */
class FilterButtons {
  constructor(choose) {
    this.buttons = [...document.querySelectorAll("button[data-facet]")];
    this.longest = {};
    for (const button of this.buttons) {
      button.addEventListener("click", () => choose(button.dataset.facet, button.dataset.value));
    }
  }

  /** Take the counts of all rows as what full bars mean; a value that no row has cannot be chosen. */
  begin(counts) {
    for (const name of FACETS) {
      this.longest[name] = 1;
      for (const count of counts[name].values()) this.longest[name] = Math.max(this.longest[name], sum(count));
    }
    for (const button of this.buttons) {
      const { facet, value } = button.dataset;
      button.disabled = !counts[facet].has(value);
      if (!button.disabled && facet !== "kind") {
        const whole = (100 * sum(counts[facet].get(value))) / this.longest[facet];
        button.querySelector("rect.track").setAttribute("width", `${whole}%`);
        button.querySelector("rect.all").setAttribute("width", "0");
      }
    }
  }

  show(choice, counts) {
    for (const button of this.buttons) {
      const { facet, value } = button.dataset;
      if (button.disabled) continue;
      button.setAttribute("aria-pressed", String(choice.sets[facet].has(value)));
      const count = counts[facet].get(value) ?? [0, 0, 0];
      button.classList.toggle("none", sum(count) === 0);
      if (facet === "kind") showKind(button, choice, sum(count));
      else this.showBar(button, facet, count, choice);
    }
  }

  showBar(button, facet, count, choice) {
    button.querySelector("b").textContent = NUMBER.format(sum(count));
    const beside = button.querySelector("small");
    if (beside) beside.hidden = !choice.isEmpty;
    const said = KINDS.map((kind, i) => (count[i] ? `${NUMBER.format(count[i])} ${kind}` : "")).filter(Boolean);
    button.title = `${button.dataset.value}: ${said.join(", ") || "no row"}`;
    let place = 0;
    KINDS.forEach((kind, i) => {
      const bar = button.querySelector(`rect.${kind}`);
      const width = (100 * count[i]) / this.longest[facet];
      bar.setAttribute("x", `${place}%`);
      bar.setAttribute("width", `${width}%`);
      place += width;
    });
  }
}

function showKind(button, choice, count) {
  button.querySelector(".now").textContent = choice.isEmpty ? "" : `${NUMBER.format(count)} match`;
}
