{
  // Without this script every row is shown; with it the controls appear.
  const ledger = document.currentScript.parentElement;
  const [words] = ledger.getElementsByTagName("input");
  const buttons = [...ledger.querySelectorAll("button")];
  const rows = [...ledger.querySelectorAll("tbody tr")];
  const folded = ledger.querySelector(":scope > details"); // rows that nothing was run for
  let verdict = "";

  const update = () => {
    const wanted = words.value.trim().toLowerCase();
    for (const row of rows) {
      const cells = [...row.querySelectorAll("[data-verdict]")];
      for (const cell of cells) {
        cell.classList.toggle("other", verdict !== "" && cell.dataset.verdict !== verdict);
      }
      const fits = cells.some((cell) => verdict === "" || cell.dataset.verdict === verdict);
      row.hidden = !(fits && row.textContent.toLowerCase().includes(wanted));
    }
    const shown = rows.filter((row) => !row.hidden);
    ledger.querySelector("output").value = `${shown.length} of ${rows.length} rows`;
    if (!folded) return;
    folded.hidden = !shown.some((row) => folded.contains(row));
    if (verdict === "not run") folded.open = true;
  };

  for (const button of buttons) {
    button.addEventListener("click", () => {
      verdict = button.value;
      for (const other of buttons) other.ariaPressed = String(other === button);
      update();
    });
  }
  words.addEventListener("input", update);
  const form = ledger.querySelector("form");
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  update();

  // Paper cannot be unfolded.
  addEventListener("beforeprint", () => {
    for (const part of ledger.querySelectorAll("details")) part.open = true;
  });
}
