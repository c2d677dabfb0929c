// The page: what is chosen, shown and open, kept in step with the address, the buttons and the keys.

const WAIT = 40; // milliseconds after a key in the search

class Page {
  constructor(index) {
    this.index = index;
    this.texts = new Texts();
    this.search = new Search(index, this.texts);
    this.choice = new Choice();
    this.hits = null;
    this.isSide = false;
    this.turn = 0; // of searches; an older one gives way to a newer
    this.marking = 0;
    this.opened = ""; // the slot of the row that is open
    this.wanted = ""; // the slot that the address names, until it is found: the search may still be reading
    this.list = new List(
      find("list"),
      (row) => this.factsOf(row),
      this.texts,
      (place) => this.toggle(place),
      () => this.highlight(),
    );
    this.filters = new FilterButtons((name, value) => {
      this.choice.toggle(name, value);
      this.update();
    });
    this.filters.begin(applyChoice(index, this.choice, null).counts);
  }

  factsOf(row) {
    const of = (name) => this.index.facets[name].sets[this.index.facets[name].codes[row]];
    const [slot, line] = [this.index.slots[row], this.index.lines[row]];
    return { slot, line, kind: of("kind")[0], causes: of("cause"), task: of("task")[0] ?? "", document: of("document")[0] ?? "" };
  }

  /** Show the rows that are chosen now; from the first, if others than before were asked for. */
  update(isNew = true) {
    const { shown, counts } = applyChoice(this.index, this.choice, this.hits);
    this.filters.show(this.choice, counts);
    const place = this.list.show(shown);
    if (place >= 0) this.openRow(place).then(() => isNew && this.list.reveal(place));
    else this.opened = "";
    if (isNew && place < 0 && this.list.current < 0) this.list.rewind();
    this.openWanted();
    this.say(shown.length);
    showChosen(this.choice, (name, value) => {
      if (name === "q") this.find("");
      else {
        this.choice.toggle(name, value);
        this.update();
      }
      find("chosen").querySelector("button")?.focus();
    });
    this.write();
  }

  openWanted() {
    const place = this.wanted ? this.list.placeOf(this.index.slots.indexOf(this.wanted)) : -1;
    if (place < 0) return;
    this.wanted = "";
    this.openRow(place).then(() => this.list.focus(place));
  }

  say(count) {
    const [all, some] = [NUMBER.format(this.index.size), NUMBER.format(count)];
    const rows = this.choice.isEmpty ? `${all} rows differ` : `${some} of ${all} rows`;
    const reading = this.search.share < 1 && this.choice.query;
    const most = this.list.shown.length < count ? `, the first ${NUMBER.format(this.list.shown.length)} are listed` : "";
    find("status").textContent = reading
      ? `${rows} in the ${Math.floor(100 * this.search.share)}% read so far …`
      : `${rows}${most}`;
    find("clear").hidden = this.choice.isEmpty;
  }

  /** Mark the words searched for, once for all that is drawn before the next picture. */
  highlight() {
    this.marking ||= requestAnimationFrame(() => {
      this.marking = 0;
      highlightWords(this.list.element, this.choice.query);
    });
  }

  write() {
    writeAddress(formatAddress(this.choice, this.opened || this.wanted, this.isSide));
  }

  /** Search for these words and show what is found. */
  async find(query, isNew = true) {
    const turn = ++this.turn;
    this.choice.query = query.trim();
    if (find("search").value.trim() !== this.choice.query) find("search").value = query;
    const hits = await this.search.match(this.choice.query, () => turn === this.turn);
    if (turn !== this.turn) return;
    this.hits = hits;
    this.update(isNew);
  }

  clear() {
    this.choice.clear();
    this.find("");
  }

  toggle(place) {
    if (this.list.open?.place === place) {
      this.list.close();
      this.opened = "";
      this.write();
      this.list.focus(place);
      return;
    }
    this.openRow(place).then(() => this.list.focus(place));
  }

  async openRow(place) {
    const row = this.list.shown[place];
    this.wanted = "";
    this.opened = this.index.slots[row];
    this.write();
    const texts = this.texts.peek(row) ?? (await this.texts.get(row));
    if (this.list.shown[place] !== row || this.opened !== this.index.slots[row]) return;
    this.list.openAt(place, showDetail(texts, this.factsOf(row), this.isSide));
  }

  setSide(isSide) {
    this.isSide = isSide;
    find("view").setAttribute("aria-pressed", String(isSide));
    if (this.list.open) this.openRow(this.list.open.place);
    this.write();
  }

  /** Move by one row; from nowhere to the first. */
  step(by, isOpening) {
    const place = Math.max(0, Math.min(this.list.shown.length - 1, this.list.current + by));
    if (isOpening && this.list.shown.length) this.openRow(place).then(() => this.list.focus(place));
    else this.list.focus(place);
  }

  /** Show what the address says. */
  async follow() {
    const said = readAddress(location.hash);
    if (!said) return;
    for (const name of FACETS) this.choice.sets[name] = new Set(said.sets[name]);
    this.isSide = said.side;
    find("view").setAttribute("aria-pressed", String(said.side));
    find("search").value = said.query;
    this.wanted = said.row;
    await this.find(said.query);
  }
}

/** Name what is chosen above the list, each to be dropped again. */
function showChosen(choice, drop) {
  const chips = FACETS.flatMap((name) => [...choice.sets[name]].map((value) => [name, value]));
  if (choice.query) chips.push(["q", choice.query]);
  const items = chips.map(([name, value]) => {
    const said = name === "q" ? `“${value}”` : ["kind", "name"].includes(name) ? value : `${name}: ${value}`;
    const button = makeButton("", () => drop(name, value), { "aria-label": `Drop ${said}`, class: "chip" });
    button.append(make("bdi", {}, said), make("span", { "aria-hidden": "true" }, " ×"));
    return make("li", {}, button);
  });
  find("chosen").replaceChildren(...items);
}

function listenToKeys(page) {
  const keys = {
    j: () => page.step(1, false),
    k: () => page.step(-1, false),
    J: () => page.step(1, true),
    K: () => page.step(-1, true),
    o: () => page.list.current >= 0 && page.toggle(page.list.current),
    "/": () => find("search").focus(),
    f: () => focusFilters(),
    s: () => page.setSide(!page.isSide),
    x: () => page.clear(),
    "?": () => find("keys").showModal(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || find("keys").open) return;
    if (event.target === find("search")) {
      if (event.key === "Escape") find("search").blur();
      if (event.key === "Enter") page.find(event.target.value).then(() => page.list.focus(0));
      return;
    }
    const isFree = event.target === document.body;
    const act = event.key === "Enter" && isFree ? keys.o : keys[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
}

function focusFilters() {
  showFilters(true);
  document.querySelector("#filters button[data-facet]:not(:disabled)")?.focus();
}

/** On a narrow page the filters are folded away until they are asked for. */
function showFilters(isOpen) {
  find("filters").classList.toggle("open", isOpen);
  find("show-filters").setAttribute("aria-expanded", String(isOpen));
  if (isOpen) find("filters").scrollIntoView({ block: "nearest" });
}

function listenToButtons(page) {
  let timer = 0;
  find("search").addEventListener("input", (event) => {
    clearTimeout(timer);
    timer = setTimeout(() => page.find(event.target.value), WAIT);
  });
  find("clear").addEventListener("click", () => page.clear());
  find("view").addEventListener("click", () => page.setSide(!page.isSide));
  find("help").addEventListener("click", () => find("keys").showModal());
  find("close-keys").addEventListener("click", () => find("keys").close());
  find("show-filters").addEventListener("click", () => showFilters(!find("filters").classList.contains("open")));
  find("to-rows").addEventListener("click", () => {
    showFilters(false);
    find("toolbar").scrollIntoView();
  });
  for (const more of document.querySelectorAll("button.more")) more.addEventListener("click", () => unfold(more));
  addEventListener("hashchange", () => page.follow());
}

function unfold(button) {
  const list = button.previousElementSibling;
  const isFolded = list.classList.toggle("folded");
  button.setAttribute("aria-expanded", String(!isFolded));
  button.textContent = isFolded ? `All ${NUMBER.format(list.children.length)}` : "Fewer";
}

async function begin() {
  const page = new Page(await readIndex());
  find("search").disabled = false;
  listenToButtons(page);
  listenToKeys(page);
  if (readAddress(location.hash)) await page.follow();
  else page.update();
  document.documentElement.dataset.ready = "rows";
  await page.search.read(() => page.choice.query && page.find(page.choice.query, false));
  if (page.wanted) find("status").append("; the row of the link is not among them");
  page.wanted = "";
  document.documentElement.dataset.ready = "all";
}

try {
  await begin();
} catch (error) {
  find("status").textContent = `The rows cannot be shown in this browser (${error.message}); the figures above are whole.`;
  throw error;
}
