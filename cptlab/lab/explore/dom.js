// What the widgets share; their own files follow it in one module.

const SVG = "http://www.w3.org/2000/svg";

function element(tag, className, parent) {
  const made = document.createElement(tag);
  made.className = className;
  parent.append(made);
  return made;
}

function drawing(tag, attributes, parent) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  parent.append(made);
  return made;
}

// Keys work in a widget; the notebook would take them, to move on to another cell or to delete one.
function keepKeys(root) {
  root.addEventListener("keydown", (event) => {
    if (!event.ctrlKey && !event.metaKey) event.stopPropagation();
  });
}

// Widgets of a page point at the same classes. The one under the pointer, or with the focus, tells
// the names, of which a cell of a matrix has two, and null at the end; all others hear it.
const HOVER = "cptlab-hover";

function tell(root, names) {
  root.dispatchEvent(new CustomEvent(HOVER, { bubbles: true, detail: names }));
}

function hear(root, act) {
  const listen = ({ target, detail }) => target !== root && act(detail);
  document.addEventListener(HOVER, listen);
  return () => document.removeEventListener(HOVER, listen);
}
