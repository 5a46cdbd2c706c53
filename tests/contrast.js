// Texts of a page whose contrast with what is behind them is below 4.5, marks below 3 (WCAG 2.2).
const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
const rgba = (colour) => {
  canvas.clearRect(0, 0, 1, 1);
  canvas.fillStyle = colour;
  canvas.fillRect(0, 0, 1, 1);
  return [...canvas.getImageData(0, 0, 1, 1).data].map((part) => part / 255);
};
const over = ([r, g, b, a], below) => [r, g, b].map((part, i) => a * part + (1 - a) * below[i]);
const light = (colour) => {
  const [r, g, b] = colour.map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const found = new Map();
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (texts.nextNode()) {
  const parent = texts.currentNode.parentElement;
  const text = texts.currentNode.textContent.trim();
  if (!text || !parent.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
  if (!parent.getClientRects().length || parent.closest("script, style, noscript, svg, title")) continue;
  const chain = [];
  for (let at = parent; at; at = at.parentElement) chain.unshift(getComputedStyle(at));
  let behind = [1, 1, 1];
  for (const style of chain) behind = over(rgba(style.backgroundColor), behind);
  const opacity = chain.reduce((product, style) => product * Number(style.opacity), 1);
  const [r, g, b, a] = rgba(chain.at(-1).color);
  const [dark, bright] = [light(over([r, g, b, a * opacity], behind)), light(behind)].sort((p, q) => p - q);
  const ratio = (bright + 0.05) / (dark + 0.05);
  const key = `${parent.tagName}.${parent.className}`;
  const enough = parent.closest("[role=img]") ? 3 : 4.5;
  if (ratio < enough && !found.has(key)) found.set(key, `${key} ${ratio.toFixed(2)}: ${text.slice(0, 40)}`);
}
return [...found.values()];
