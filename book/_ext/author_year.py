"""A bibliography that lists its entries as the text cites them, by author and year."""

from pybtex.plugin import register_plugin
from pybtex.style.formatting.plain import Style
from pybtex.style.labels import BaseLabelStyle


class AuthorYear(BaseLabelStyle):
    def format_labels(self, sorted_entries):
        for entry in sorted_entries:
            people = [" ".join(p.prelast_names + p.last_names) for p in entry.persons["author"]]
            names = f"{people[0]} et al." if len(people) > 2 else " and ".join(people)
            year = entry.fields["year"]
            yield f"{names}, {year}".replace("{", "").replace("}", "")


class AuthorYearStyle(Style):
    default_label_style = AuthorYear
    default_sorting_style = "author_year_title"


def setup(app):
    register_plugin("pybtex.style.formatting", "author_year_list", AuthorYearStyle)
    return {"parallel_read_safe": True}
