// Buttons to train and to stop, the epoch, and a message on what is going on.

function render({ model, el }) {
  const root = element("div", "cptlab-training", el);
  const line = element("div", "cptlab-buttons", root);
  const [train, stop] = ["Train with these", "Stop"].map((text) => {
    const button = element("button", "", line);
    button.textContent = text;
    button.addEventListener("click", () => model.send(text));
    return button;
  });
  const bar = element("progress", "", line);
  bar.setAttribute("aria-label", "epochs that are done");
  const message = element("div", "", root);
  message.setAttribute("role", "status");
  keepKeys(root);

  function draw() {
    const running = model.get("running");
    const [other, next] = running ? [train, stop] : [stop, train];
    next.disabled = false;
    if (document.activeElement === other) next.focus(); // a locked button would lose it
    other.disabled = true;
    bar.hidden = !running;
    [bar.max, bar.value] = [model.get("epochs"), model.get("epoch")];
    message.textContent = model.get("message");
  }

  draw();
  model.on("change", draw);
  return () => model.off("change", draw);
}
