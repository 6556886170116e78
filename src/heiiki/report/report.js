"use strict";
// Filters the list of verdicts. Without it the page shows every row.
(() => {
  const form = document.querySelector("#filter");
  if (!form) return;
  form.hidden = false;
  const rows = [...document.querySelectorAll("#verdicts tbody tr")];
  const sections = [...document.querySelectorAll("#verdicts .group")];
  const shown = document.querySelector("#shown");

  const apply = () => {
    const results = new Set([...form.querySelectorAll("input:checked")].map((box) => box.value));
    const requirement = form.requirement.value;
    const stage = form.stage.value;
    const words = form.words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const row of rows) {
      const data = row.dataset;
      const text = row.textContent.toLowerCase();
      const fits = results.has(data.result) && (!requirement || data.requirement === requirement) &&
        (!stage || data.stage === stage) && words.every((word) => text.includes(word));
      row.hidden = !fits;
      count += fits;
    }
    for (const section of sections) section.hidden = !section.querySelector("tbody tr:not([hidden])");
    shown.textContent = `${count} of ${rows.length} shown`;
  };

  const reset = () => { form.reset(); apply(); };
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(apply));
  // A link from the matrix must land on rows that are shown.
  window.addEventListener("hashchange", () => {
    const target = document.getElementById(location.hash.slice(1));
    if (target && target.matches("#verdicts .group")) { reset(); target.open = true; target.scrollIntoView(); }
  });
  document.querySelectorAll("[data-only]").forEach((link) => link.addEventListener("click", () => {
    form.reset();
    form.querySelectorAll("input[type=checkbox]").forEach((box) => { box.checked = box.value === link.dataset.only; });
    apply();
  }));
  window.addEventListener("beforeprint", () => {
    document.querySelectorAll("details").forEach((item) => { item.open = true; });
  });
  apply();
})();
