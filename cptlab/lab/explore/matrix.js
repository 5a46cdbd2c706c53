// Cosine matrices side by side. Pointing at a cell, or moving there with the arrow keys, shows the
// two classes, their images and the cosine in every matrix; the map marks them. A class that the map
// points at is marked here by its row and column.

function render({ model, el }) {
  const root = element("div", "cptlab-hover", el);
  keepKeys(root);
  const panels = element("div", "cptlab-panels", root);
  const details = element("div", "cptlab-details", root);
  details.setAttribute("aria-live", "polite");
  let at = null; // row and column that are shown; they stay when the matrices change

  function link(pointed) {
    if (!pointed) return; // the cross stays, to be found after scrolling
    const places = pointed.map((name) => model.get("content").names.indexOf(name));
    const size = model.get("content").names.length;
    const lines = places.map((p) => `M0 ${p + 0.5}H${size}M${p + 0.5} 0V${size}`);
    for (const cross of root.querySelectorAll(".cross")) cross.setAttribute("d", lines.join(""));
  }

  function draw() {
    const content = model.get("content");
    const { names, images, clusters, borders, scale } = content;
    const size = names.length;
    const bytes = content.cosines;
    const cosines = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const cosine = (panel, row, column) =>
      cosines.getFloat32(4 * ((panel * size + row) * size + column), true);
    if (at && Math.max(...at) >= size) at = null;
    const frames = () => [...panels.querySelectorAll(".cptlab-matrix")];
    const focused = frames().indexOf(document.activeElement);
    panels.replaceChildren();

    const marks = content.panels.map(({ title, note, image }) => {
      const panel = element("figure", "cptlab-panel", panels);
      const caption = element("figcaption", "", panel);
      element("b", "", caption).textContent = title;
      element("span", "", caption).textContent = note;
      const frame = element("div", "cptlab-matrix", panel);
      frame.tabIndex = 0;
      frame.setAttribute("role", "application");
      frame.setAttribute("aria-label", `${title}: cosines of ${size} classes; arrow keys move`);
      Object.assign(element("img", "", frame), { src: image, alt: "" }); // the frame has a name
      const cover = drawing("svg", { viewBox: `0 0 ${size} ${size}` }, frame);
      for (const border of borders) {
        drawing("path", { d: `M0 ${border}H${size}M${border} 0V${size}`, class: "border" }, cover);
      }
      drawing("path", { class: "cross" }, cover);
      const look = (event) => {
        const box = frame.getBoundingClientRect();
        const cell = (part, whole) => Math.floor((part / whole) * size);
        point(cell(event.clientY - box.top, box.height), cell(event.clientX - box.left, box.width));
      };
      frame.addEventListener("pointermove", look);
      frame.addEventListener("pointerdown", look); // a finger does not hover
      frame.addEventListener("pointerleave", () => tell(root, null));
      frame.addEventListener("blur", () => tell(root, null));
      frame.addEventListener("keydown", (event) => {
        const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
        if (!(event.key in step)) return;
        event.preventDefault();
        const [down, right] = step[event.key];
        const [row, column] = at ?? [0, -right];
        point(row + down, column + right);
      });
      return drawing("rect", { width: 1, height: 1, class: "mark", visibility: "hidden" }, cover);
    });

    const bar = element("div", "cptlab-scale", panels);
    element("span", "", bar).textContent = "cosine 1";
    Object.assign(element("img", "", bar), { src: scale.image, alt: "" });
    element("span", "", bar).textContent = `≤ ${scale.low.toFixed(1)}`;

    function point(row, column) {
      show(row, column);
      link([]);
      tell(root, at.map((place) => names[place]));
    }

    function show(row, column) {
      const inside = (place) => Math.min(Math.max(place, 0), size - 1);
      at = [inside(row), inside(column)];
      for (const mark of marks) {
        mark.setAttribute("y", at[0]);
        mark.setAttribute("x", at[1]);
        mark.setAttribute("visibility", "visible");
      }
      details.replaceChildren();
      for (const place of at) {
        const card = element("figure", "cptlab-class", details);
        const image = element("img", "", card);
        image.src = images[place];
        image.alt = "";
        const caption = element("figcaption", "", card);
        element("b", "", caption).textContent = names[place];
        element("span", "", caption).textContent = `cluster ${clusters[place]}`;
      }
      const numbers = element("table", "cptlab-numbers", details);
      content.panels.forEach(({ title }, panel) => {
        const line = element("tr", "", numbers);
        element("td", "", line).textContent = title;
        element("td", "", line).textContent = cosine(panel, ...at).toFixed(3);
      });
    }

    frames()[focused]?.focus();
    if (at) show(...at);
    else details.textContent = "Point at a cell of the matrix, or click it and use the arrow keys.";
  }

  draw();
  model.on("change:content", draw);
  const unlink = hear(root, link);
  return () => {
    model.off("change:content", draw);
    unlink();
  };
}
