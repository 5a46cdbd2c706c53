"use strict";
// Without this script every row is shown; with it the controls appear.
for (const ledger of document.querySelectorAll("[data-ledger]")) {
  const rows = [...ledger.querySelectorAll("tbody tr")];
  const words = ledger.querySelector("input");
  const buttons = [...ledger.querySelectorAll("button")];
  const shown = ledger.querySelector("output");
  let verdict = "";

  const update = () => {
    const wanted = words.value.trim().toLowerCase();
    let number = 0;
    for (const row of rows) {
      const cells = [...row.querySelectorAll("[data-verdict]")];
      for (const cell of cells) {
        cell.classList.toggle("dim", verdict !== "" && cell.dataset.verdict !== verdict);
      }
      const fits = verdict === "" || cells.some((cell) => cell.dataset.verdict === verdict);
      row.hidden = !(fits && row.textContent.toLowerCase().includes(wanted));
      number += row.hidden ? 0 : 1;
    }
    shown.value = `${number} of ${rows.length} rows`;
  };

  for (const button of buttons) {
    button.addEventListener("click", () => {
      verdict = button.value;
      for (const other of buttons) other.ariaPressed = String(other === button);
      update();
    });
  }
  words.addEventListener("input", update);
  ledger.querySelector(".controls").hidden = false;
  update();
}

// Paper cannot be unfolded.
addEventListener("beforeprint", () => {
  for (const part of document.querySelectorAll("details")) part.open = true;
});
