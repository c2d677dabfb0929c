// The address: what is shown stands behind the #, so that a link to a view works.

/** Return {choice parts, row, view} that a fragment says, or null where it says nothing of the kind. */
function readAddress(fragment) {
  const said = new URLSearchParams(fragment.replace(/^#/u, ""));
  const names = [...FACETS, "q", "row", "view"];
  if (fragment.length > 1 && !names.some((name) => said.has(name))) return null;
  return {
    sets: Object.fromEntries(FACETS.map((name) => [name, said.getAll(name)])),
    query: said.get("q") ?? "",
    row: said.get("row") ?? "",
    side: said.get("view") === "side",
  };
}

/** Return the fragment, "" where all rows are shown and none is open. */
function formatAddress(choice, row, side) {
  const said = new URLSearchParams();
  for (const name of FACETS) for (const value of [...choice.sets[name]].sort()) said.append(name, value);
  if (choice.query) said.set("q", choice.query);
  if (side) said.set("view", "side");
  if (row) said.set("row", row);
  const text = said.toString();
  return text && `#${text}`;
}

function writeAddress(fragment) {
  if (fragment === location.hash) return;
  history.replaceState(null, "", fragment || location.pathname + location.search);
}
