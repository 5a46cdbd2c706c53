// A command to copy.

function render({ model, el }) {
  const root = element("div", "cptlab-command", el);
  const code = element("code", "", root);
  const button = element("button", "", root);
  keepKeys(root);
  button.addEventListener("click", async () => {
    getSelection().selectAllChildren(code);
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
    } catch { // a page without https, or a browser that was told not to
      button.textContent = "Selected: press Ctrl+C";
    }
  });

  function draw() {
    code.textContent = model.get("text");
    button.textContent = "Copy command";
  }

  draw();
  model.on("change:text", draw);
  return () => model.off("change:text", draw);
}
