// A menu whose entries stand in groups; those of a group without a title stand alone.

function render({ model, el }) {
  const root = element("label", "cptlab-menu", el);
  const title = element("span", "", root);
  const select = element("select", "", root);
  select.addEventListener("change", () => {
    model.set("value", select.value);
    model.save_changes();
  });
  keepKeys(root);
  let listed = "";

  function draw() {
    const groups = Object.entries(model.get("groups"));
    if (JSON.stringify(groups) !== listed) {
      listed = JSON.stringify(groups);
      select.replaceChildren();
      for (const [label, words] of groups) {
        const group = label ? element("optgroup", "", select) : select;
        if (label) group.label = label;
        for (const word of words) element("option", "", group).textContent = word;
      }
    }
    title.textContent = model.get("description");
    select.value = model.get("value");
    select.disabled = model.get("disabled");
  }

  draw();
  model.on("change", draw);
  return () => model.off("change", draw);
}
