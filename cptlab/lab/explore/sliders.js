// Numbers, each a labelled slider of the browser's own.

function render({ model, el }) {
  const root = element("div", "cptlab-sliders", el);
  const sliders = model.get("names").map((name, place) => {
    const label = element("label", "", root);
    element("span", "", label).textContent = name;
    const input = element("input", "", label);
    const output = element("output", "", label);
    input.type = "range";
    input.addEventListener("input", () => {
      model.set("values", model.get("values").with(place, input.valueAsNumber));
      model.save_changes();
    });
    return { input, output };
  });
  keepKeys(root);

  function draw() {
    sliders.forEach(({ input, output }, place) => {
      const [value, largest] = [model.get("values")[place], model.get("largest")[place]];
      const min = model.get("smallest");
      const step = (largest - min) / model.get("steps");
      Object.assign(input, { min, step, max: largest, disabled: model.get("disabled") });
      if (Math.abs(input.valueAsNumber - value) > step / 2) input.value = value;
      output.textContent = value.toFixed(model.get("digits"));
    });
  }

  draw();
  model.on("change", draw);
  return () => model.off("change", draw);
}
