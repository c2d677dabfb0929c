// Elements. Whatever documents and models say becomes text here and nowhere markup: the page's policy
// (Trusted Types) forbids every way of parsing it.

/** Return an element with attributes and children; children that are texts stay texts. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false && value !== null) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== ""));
  return element;
}

/** Return the element with an id, which page.html has. */
function find(id) {
  return document.getElementById(id);
}

/** Return a button with a text that calls `act`. */
function makeButton(text, act, attributes = {}) {
  const button = make("button", { type: "button", ...attributes }, text);
  button.addEventListener("click", act);
  return button;
}

const NUMBER = new Intl.NumberFormat("en");
