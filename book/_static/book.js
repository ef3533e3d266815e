// The notebook of a page stands in it, without its outputs, so that it can be saved from a folder too.
addEventListener("DOMContentLoaded", () => {
  const notebook = document.querySelector("script.notebook");
  for (const link of document.querySelectorAll("a.btn-download-source-button")) {
    if (!notebook) continue;
    link.download = link.href.split("/").pop();
    link.href = URL.createObjectURL(new Blob([notebook.textContent], { type: "application/x-ipynb+json" }));
    link.removeAttribute("target");
  }
});
// The link to a chapter's twin stands beside the contents of the page too, and leads to the section that is being read.
addEventListener("DOMContentLoaded", () => {
  const twin = [...document.querySelectorAll(".run a")].find((link) => /\/(notebooks|reference_run)\/\d\d_/.test(link.pathname) && link.pathname !== location.pathname);
  if (!twin) return;
  const beside = twin.cloneNode(true);
  beside.classList.add("twin");
  document.querySelector(".bd-sidebar-secondary")?.append(beside);
  for (const link of [twin, beside]) {
    link.addEventListener("click", () => {
      const passed = [...document.querySelectorAll("article section section[id]")].filter((section) => section.getBoundingClientRect().top < innerHeight / 3);
      link.hash = passed.length ? passed.pop().id : "";
    });
  }
});
// A table that is wider than its place scrolls. Then the keyboard has to reach it.
addEventListener("DOMContentLoaded", () => {
  const sizes = new ResizeObserver((seen) => {
    for (const { target } of seen) {
      if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
      else target.removeAttribute("tabindex");
    }
  });
  for (const table of document.querySelectorAll(".bd-article table")) sizes.observe(table);
});
// What the figures of a chapter show, as a table: the explorer of the page holds it.
addEventListener("load", () => {
  const explorer = document.querySelector(".landscape-explorer")?.explorer;
  if (!explorer) return;
  for (const caption of document.querySelectorAll("article figure > figcaption")) {
    const link = Object.assign(document.createElement("a"), { className: "data", textContent: "Data (CSV)", href: "#" });
    link.addEventListener("click", () => {
      link.download = location.pathname.split("/").pop().replace(/html$/, "csv");
      link.href = URL.createObjectURL(new Blob([explorer.csv()], { type: "text/csv" }));
    });
    caption.append(link);
  }
});
