// Heads of a table become buttons that sort its rows. Without scripts the table reads as printed.
// A cell says what it is sorted by in data-sort (nothing: it comes last) and, where figures of two
// kinds do not compare, which kind it is in data-group.

for (const table of document.querySelectorAll(".reported-table table:not(.sortable)")) {
  table.classList.add("sortable");
  const body = table.tBodies[0];
  const printed = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const now = head.getAttribute("aria-sort");
      const down = now ? now === "ascending" : "down" in head.dataset;
      const number = "number" in head.dataset;
      const compare = (a, b) => (number ? a - b : a.localeCompare(b, "en", { sensitivity: "base" }));
      const found = printed.map((row) => ({ row, ...row.cells[column].dataset }));
      const known = found.filter((one) => one.sort !== undefined);
      known.sort((a, b) => {
        const groups = (a.group || "").localeCompare(b.group || "", "en");
        return groups || (down ? -1 : 1) * compare(a.sort, b.sort);
      });
      body.replaceChildren(...known.map((one) => one.row),
        ...found.filter((one) => one.sort === undefined).map((one) => one.row));
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
    });
  });
}
