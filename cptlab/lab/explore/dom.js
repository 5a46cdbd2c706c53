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

// Widgets of a page point at the same classes: what one tells of, all others hear.
const POINTED = "cptlab-pointed";

function tell(root, names) {
  document.dispatchEvent(new CustomEvent(POINTED, { detail: { root, names } }));
}

function hear(root, act) {
  const listen = ({ detail }) => detail.root !== root && act(detail.names);
  document.addEventListener(POINTED, listen);
  return () => document.removeEventListener(POINTED, listen);
}
