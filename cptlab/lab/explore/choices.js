// Boxes to tick, in groups; once as many are ticked as may be, the others are locked.

function render({ model, el }) {
  const root = element("fieldset", "cptlab-choices", el);
  const legend = element("legend", "", root);
  const list = element("div", "", root);
  keepKeys(root);
  let listed = "";

  function tick() {
    const ticked = [...list.querySelectorAll("input")].filter((box) => box.checked);
    model.set("value", ticked.map((box) => box.value));
    model.save_changes();
  }

  function draw() {
    const groups = Object.entries(model.get("groups"));
    if (JSON.stringify(groups) !== listed) {
      listed = JSON.stringify(groups);
      list.replaceChildren();
      for (const [title, words] of groups) {
        element("b", "", list).textContent = title;
        for (const word of words) {
          const label = element("label", "", list);
          const box = element("input", "", label);
          [box.type, box.value] = ["checkbox", word];
          box.addEventListener("change", tick);
          element("span", "", label).textContent = word;
        }
      }
    }
    legend.textContent = model.get("description");
    const value = model.get("value");
    for (const box of list.querySelectorAll("input")) {
      box.checked = value.includes(box.value);
      box.disabled = !box.checked && value.length >= model.get("most");
    }
  }

  draw();
  model.on("change", draw);
  return () => model.off("change", draw);
}
