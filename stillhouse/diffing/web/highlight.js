// Words searched for, marked where they are seen; nothing in the document changes for it.

const WANTED_MOST = 2000; // marks; more would help nobody

/** Mark the words of a query in what `element` holds now. */
function highlightWords(element, query) {
  if (!globalThis.Highlight) return;
  CSS.highlights.delete("found");
  const words = wordsOf(query);
  if (!words.length) return;
  const ranges = [];
  const nodes = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  while (nodes.nextNode() && ranges.length < WANTED_MOST) addRanges(ranges, nodes.currentNode, words);
  CSS.highlights.set("found", new Highlight(...ranges));
}

function addRanges(ranges, node, words) {
  const text = node.data.toLowerCase();
  if (text.length !== node.data.length) return; // a letter that grows in lower case: places would be off
  for (const word of words) {
    for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + word.length)) {
      const range = new Range();
      range.setStart(node, at);
      range.setEnd(node, at + word.length);
      ranges.push(range);
    }
  }
}
