// The list: only rows in view are in the document, with the one that has the focus and the one that is open.

const SPARE = 6; // rows kept above and below what is in view
const TALLEST = 15_000_000; // pixels; browsers cannot lay out much more
const EDGE = 12; // pixels between a row brought into view and the edge
const SIGNS = { added: "+", removed: "−", changed: "~" };

class List {
  /**
   * `facts` gives a row's facts; `texts` its texts; `toggle` is called when a row's line is pressed, `drawn` after lines
   * or texts came into the document.
   */
  constructor(element, facts, texts, toggle, drawn) {
    Object.assign(this, { element, facts, texts, toggle, drawn });
    this.shown = new Uint32Array();
    this.lines = new Map(); // place in the list -> element
    this.current = -1; // place of the row that the keys are at
    this.open = null; // {place, row, element, height}
    this.waiting = 0;
    this.measure();
    addEventListener("scroll", () => this.plan(), { passive: true });
    addEventListener("resize", () => this.measure());
    this.sizes = new ResizeObserver(([entry]) => this.setHeight(entry.target.offsetHeight));
  }

  measure() {
    this.height = parseFloat(getComputedStyle(this.element).getPropertyValue("--row"));
    this.plan();
  }

  /** Show these rows; returns the place of the one that was open, -1 if it is not among them. */
  show(shown) {
    const row = this.open?.row;
    const focused = this.element.contains(document.activeElement) ? this.shown[this.current] : undefined;
    this.close();
    this.shown = shown.subarray(0, Math.floor(TALLEST / this.height));
    for (const line of this.lines.values()) line.remove();
    this.lines.clear();
    this.current = focused === undefined ? -1 : this.placeOf(focused);
    this.render();
    this.lines.get(this.current)?.firstChild.focus({ preventScroll: true });
    return row === undefined ? -1 : this.placeOf(row);
  }

  placeOf(row) {
    return this.shown.indexOf(row);
  }

  plan() {
    this.waiting ||= requestAnimationFrame(() => {
      this.waiting = 0;
      this.render();
    });
  }

  topOf(place) {
    return place * this.height + (this.open && place > this.open.place ? this.open.height : 0);
  }

  placeAt(top) {
    const below = this.open ? this.topOf(this.open.place) + this.height : Infinity;
    if (top < below) return Math.floor(top / this.height);
    return Math.max(this.open.place, Math.floor((top - this.open.height) / this.height));
  }

  render() {
    const end = this.shown.length - 1;
    this.element.style.height = `${this.topOf(end + 1)}px`;
    const top = -this.element.getBoundingClientRect().top;
    const from = Math.max(0, this.placeAt(top) - SPARE);
    const to = Math.min(end, this.placeAt(top + innerHeight) + SPARE);
    const wanted = new Set();
    for (let place = from; place <= to; place += 1) wanted.add(place);
    for (const place of [this.current, this.open?.place ?? -1]) if (place >= 0) wanted.add(place);
    this.drop(wanted);
    let last = null;
    for (const place of [...wanted].sort((a, b) => a - b)) last = this.place(place, last);
    this.drawn();
  }

  drop(wanted) {
    for (const [place, line] of this.lines) {
      if (!wanted.has(place)) {
        line.remove();
        this.lines.delete(place);
      }
    }
  }

  /** Put a row's line where it belongs, also in the document: behind the one that is read before it. */
  place(place, last) {
    const line = this.lines.get(place) ?? this.makeLine(place);
    this.lines.set(place, line);
    if (!line.isConnected) this.element.insertBefore(line, last ? last.nextSibling : this.element.firstChild);
    line.style.top = `${this.topOf(place)}px`;
    return line;
  }

  makeLine(place) {
    const row = this.shown[place];
    const { kind, line, task, document: source, causes } = this.facts(row);
    const brief = make("span", { class: "brief", dir: "auto" });
    const button = make(
      "button",
      { type: "button", class: "line", "aria-expanded": String(this.open?.place === place) },
      make("span", { class: `sign ${kind}`, "aria-label": kind }, SIGNS[kind]),
      make("span", { class: "question", dir: "auto" }, line || "(no question)"),
      brief,
      make(
        "span",
        { class: "meta" },
        ...causes.map((cause) => make("span", { class: "tag" }, cause)),
        make("span", { class: "task" }, task),
        make("bdi", { class: "source" }, source),
      ),
    );
    button.addEventListener("click", () => this.toggle(place));
    button.addEventListener("focus", () => {
      this.current = place;
    });
    this.fillBrief(brief, row);
    return make(
      "div",
      { class: "item", role: "listitem", "aria-posinset": place + 1, "aria-setsize": this.shown.length },
      button,
    );
  }

  /** Fill in what changed once the texts are unpacked, if the line is still there then. */
  async fillBrief(brief, row) {
    let texts = this.texts.peek(row);
    if (!texts) {
      await new Promise(requestAnimationFrame);
      await new Promise((resolve) => setTimeout(resolve, 40)); // what only flies past is not unpacked
      if (!brief.isConnected) return;
      texts = await this.texts.get(row);
    }
    brief.append(...briefOf(texts));
    this.drawn();
  }

  /** Bring a row into view, with as much of what is open below it as there is room for. */
  reveal(place) {
    const bar = find("toolbar").offsetHeight + EDGE;
    const top = this.element.getBoundingClientRect().top + this.topOf(place);
    const below = this.height + (this.open?.place === place ? this.open.height : 0);
    const over = top + below - (innerHeight - EDGE);
    if (top < bar || over > 0) scrollBy(0, top < bar ? top - bar : Math.min(over, top - bar));
    this.render();
  }

  /** Bring a row into view and give it the focus. */
  focus(place) {
    if (place < 0 || place >= this.shown.length) return;
    this.current = place;
    this.reveal(place);
    this.lines.get(place).firstChild.focus({ preventScroll: true });
  }

  /** Go back to the first row, if the list was left behind by scrolling. */
  rewind() {
    const over = this.element.getBoundingClientRect().top - find("toolbar").offsetHeight;
    if (over < 0) scrollBy(0, over);
  }

  /** Put what `element` says below a row's line. */
  openAt(place, element) {
    this.close();
    this.open = { place, row: this.shown[place], element, height: 0 };
    element.classList.add("detail");
    element.id = "detail";
    this.render();
    const line = this.lines.get(place);
    line.append(element);
    line.firstChild.setAttribute("aria-expanded", "true");
    line.firstChild.setAttribute("aria-controls", "detail");
    this.sizes.observe(element);
    this.setHeight(element.offsetHeight);
    this.render();
  }

  close() {
    if (!this.open) return;
    const { place, element } = this.open;
    this.sizes.unobserve(element);
    element.remove();
    this.open = null;
    const button = this.lines.get(place)?.firstChild;
    button?.setAttribute("aria-expanded", "false");
    button?.removeAttribute("aria-controls");
    this.render();
  }

  setHeight(height) {
    if (!this.open || this.open.height === height) return;
    this.open.height = height;
    this.plan();
  }
}

/** Return in one line what a row says, or what of it changed first. */
function briefOf({ old, new: now }) {
  if (!old || !now) return [make("span", {}, cutText((now ?? old).response, 0, MOST))];
  if (old.response !== now.response) return showBriefly(old.response, now.response);
  const asked = [old, now].map((side) => side.question.map(([, content]) => content).join("\n"));
  if (asked[0] !== asked[1]) return [make("small", {}, "question "), ...showBriefly(...asked)];
  for (const name of ["reasoning", "context", "holdout"]) {
    if (old[name] !== now[name]) return [make("small", {}, `${COLUMNS[name] ?? "held out"} `.toLowerCase()), ...showBriefly(old[name], now[name])];
  }
  return [make("small", {}, "same words: "), make("span", {}, cutText(now.response, 0, MOST))];
}
