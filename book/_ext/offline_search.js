// As Sphinx counts, but for entries of the reference and of the bibliography, which come after the chapters.
var Scorer = {
  score: ([page, , , , score]) => (["reference", "bibliography"].includes(page) ? score - 100 : score),
  objNameMatch: 11, objPartialMatch: 6, objPrio: { 0: 15, 1: 5, 2: -5 }, objPrioDefault: 0,
  title: 15, partialTitle: 7, term: 5, partialTerm: 2,
};
