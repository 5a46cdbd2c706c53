// A map of the classes, each drawn as its image. Pointing at one shows its name and neighbours and
// dims the other clusters; buttons switch between maps, and the images move to their new places. The
// map is one stop of the tab key; arrow keys move on to the next class in their direction. Classes that
// the matrix points at are marked.

const SIDE = 1000;
const ARROWS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
const DASHES = ["none", "8 4", "2 4", "12 4 2 4"]; // a cluster beyond the eighth differs in line

function render({ model, el }) {
  const root = element("div", "cptlab-hover", el);
  keepKeys(root);
  const main = element("div", "cptlab-map", root);
  const buttons = element("div", "cptlab-buttons", main);
  const svg = drawing("svg", { viewBox: `-40 -40 ${SIDE + 80} ${SIDE + 80}` }, main);
  svg.setAttribute("role", "group");
  const details = element("div", "cptlab-details", root);
  details.setAttribute("aria-live", "polite");
  svg.addEventListener("pointerleave", leave);
  let [marks, drawnNames, shown, at] = [[], "", 1, null];

  function marksOf({ names, images, clusters, colours }) {
    const radius = Math.min(44, Math.max(12, 270 / Math.sqrt(names.length)));
    svg.replaceChildren();
    svg.setAttribute("aria-label", `Map of ${names.length} classes; arrow keys move`);
    return names.map((name, place) => {
      const mark = drawing("g", { class: "point", tabindex: place ? -1 : 0, role: "img" }, svg);
      mark.setAttribute("aria-label", `${name}, cluster ${clusters[place]}`);
      const dash = DASHES[Math.floor((clusters[place] - 1) / 8) % DASHES.length];
      drawing("circle", { r: radius, stroke: colours[place], "stroke-dasharray": dash }, mark);
      const side = 1.3 * radius;
      const box = { x: -side / 2, y: -side / 2, width: side, height: side };
      drawing("image", { ...box, href: images[place] }, mark);
      mark.addEventListener("pointerenter", () => point(place));
      mark.addEventListener("focus", () => {
        for (const other of marks) other.setAttribute("tabindex", other === mark ? 0 : -1);
        point(place);
      });
      mark.addEventListener("blur", leave);
      mark.addEventListener("keydown", (event) => {
        if (!(event.key in ARROWS)) return;
        event.preventDefault();
        marks[next(place, ARROWS[event.key])]?.focus();
      });
      return mark;
    });
  }

  function next(place, [right, down]) {
    const { points } = model.get("content").layouts[shown];
    const far = points.map(([x, y]) => {
      const [dx, dy] = [x - points[place][0], y - points[place][1]];
      const [along, aside] = [dx * right + dy * down, Math.abs(dx * down) + Math.abs(dy * right)];
      return along > 0 && aside <= along ? along + aside : Infinity; // in the quarter ahead
    });
    const nearest = Math.min(...far);
    return nearest < Infinity ? far.indexOf(nearest) : place;
  }

  function point(place) {
    show(place);
    tell(root, [model.get("content").names[place]]);
  }

  function leave() {
    undim();
    tell(root, null);
  }

  function undim() {
    for (const mark of marks) mark.classList.remove("dimmed");
  }

  function show(place) {
    const { names, images, clusters, layouts } = model.get("content");
    at = place;
    marks.forEach((mark, other) => {
      mark.classList.toggle("dimmed", clusters[other] !== clusters[place]);
      mark.classList.toggle("chosen", other === place);
    });
    details.replaceChildren();
    const card = element("figure", "cptlab-class", details);
    const image = element("img", "", card);
    image.src = images[place];
    image.alt = "";
    const caption = element("figcaption", "", card);
    element("b", "", caption).textContent = names[place];
    element("span", "", caption).textContent = `cluster ${clusters[place]}`;
    const near = element("ul", "cptlab-near", details);
    element("li", "", near).textContent = "nearest by cosine:";
    for (const line of layouts[shown].near[place]) element("li", "", near).textContent = line;
  }

  function switchTo(layout) {
    const button = element("button", "", buttons);
    button.addEventListener("click", () => {
      shown = layout;
      draw();
    });
    return button;
  }

  function draw() {
    const content = model.get("content");
    const { names, layouts } = content;
    shown = Math.min(shown, layouts.length - 1);
    if (names.join() !== drawnNames) {
      [drawnNames, at] = [names.join(), null];
      marks = marksOf(content);
    }
    layouts.forEach(({ title }, layout) => {
      const button = buttons.children[layout] ?? switchTo(layout); // one with the focus stays
      button.textContent = title;
      button.setAttribute("aria-pressed", layout === shown);
    });
    marks.forEach((mark, place) => {
      const [x, y] = layouts[shown].points[place];
      mark.style.transform = `translate(${SIDE * x}px, ${SIDE * y}px)`;
    });
    if (at !== null) show(at);
    else details.textContent = "Point at a class.";
  }

  function link(pointed) {
    if (!pointed) {
      undim(); // the rims stay, to be found after scrolling
      return;
    }
    const { names } = model.get("content");
    marks.forEach((mark, place) => {
      mark.classList.toggle("dimmed", !pointed.includes(names[place]));
      mark.classList.toggle("chosen", pointed.includes(names[place]));
    });
  }

  draw();
  model.on("change:content", draw);
  const unlink = hear(root, link);
  return () => {
    model.off("change:content", draw);
    unlink();
  };
}
