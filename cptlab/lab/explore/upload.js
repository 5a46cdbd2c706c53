// A file of the user's. It is sent in parts, because Jupyter's server takes no message above 10 MB
// and drops the connection instead.

const PART = 2 ** 20;

function render({ model, el }) {
  const root = element("label", "cptlab-upload", el);
  element("span", "", root).textContent = "Your image";
  const input = element("input", "", root);
  input.type = "file";
  input.accept = "image/*";
  let latest = 0; // a file that is chosen while another one is being sent takes its place

  input.addEventListener("change", async () => {
    const [file] = input.files;
    if (!file) return;
    const [own, { name, size }] = [++latest, file];
    if (size > model.get("most")) {
      model.send({ name, size, start: 0 });
      return;
    }
    let start = 0;
    do {
      const part = await file.slice(start, start + PART).arrayBuffer();
      if (own !== latest) return;
      model.send({ name, size, start }, undefined, [part]);
      start += PART;
    } while (start < size);
  });
  input.addEventListener("click", () => (input.value = "")); // the same file may be sent again
  keepKeys(root);
}
