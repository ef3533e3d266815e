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
