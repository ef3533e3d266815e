"""What a run shows, in sentences made by rule from the evidence of the claims, beside the sentences of the paper."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

import numpy as np

from ..claims.claims import weigh as weigh_claims
from ..claims.evidence import EVERY, NOT_JUDGED, RULE, Claim, Measured, listed, table
from ..claims.intervals import Evidence, number
from ..claims.measure import NOT_COMPUTED
from ..figures.explorer import show_me
from ..names import display_name
from ..study.study import Study
from .words import OUTCOMES, PHRASES, SPOKEN, THEMES, all_of, counted, so_many, unanimous

SHOW_ME = "The name of a task in the right-hand column is a link. It shows this task in the explorer below."
RULE_TITLE = "How a verdict is reached"


def weigh(study: Study, chapter: int) -> list[Claim]:
    """The claims of a chapter, with the tasks' names as readers know them."""
    names = [name for name, phrase in PHRASES.items() if int(phrase["chapter"][:2]) == chapter]
    return for_readers(study, weigh_claims(study, *names))


def for_readers(study: Study, claims: Iterable[Claim]) -> list[Claim]:
    """Claims whose tasks have the names that the study gives its readers."""
    headings = {display_name(task): study.heading(task) for task in tasks_of(study)}

    def heading(task: str) -> str:  # perhaps with how many of its trainings behind it
        name, space, rest = task.partition(" (")
        return headings.get(name, name) + space + rest

    def named(measured: Measured) -> Measured:
        evidence = tuple(replace(e, task=headings.get(e.task, e.task)) for e in measured.evidence)
        left_out = {heading(task): reason for task, reason in measured.left_out.items()}
        return replace(measured, evidence=evidence, left_out=left_out)

    return [replace(c, primary=named(c.primary), carries=tuple(map(named, c.carries))) for c in claims]


def tasks_of(study: Study) -> list[str]:
    """The tasks that a study is about, and that of the further epochs, which may be another."""
    return [*dict.fromkeys(filter(None, (*study.tasks, study.overfit_task)))]


def numbers(claim: Claim, explored: Collection[str] = ()) -> str:
    """A sentence with the values of the task that agrees most with the paper and of the one that agrees least.

    The tasks named in `explored` become links that set the explorer of the page.
    """
    if not claim.evidence:
        return claim.primary.missing
    phrase = PHRASES[claim.name]

    def said(e: Evidence) -> str:
        values = phrase["each"].format(
            *("∞ (never reached)" if np.isinf(v) else told for v, told in zip(e.values, e.told, strict=True))
        )
        if e.task == EVERY:
            return values
        linked = e.task in explored
        return f"{values} on {show_me(e.task, task=e.task, **phrase.get('show', {})) if linked else e.task}"

    # An effect that is at most so large may not be the closest, and one that is at least so large not the furthest.
    most = max(claim.evidence, key=lambda e: (e.limit != "≤ ", e.effect))
    least = min(claim.evidence, key=lambda e: (e.limit == "≥ ", e.effect))
    if len({e.effect for e in claim.evidence}) == 1:
        same = "no different" if len({e.values for e in claim.evidence}) == 1 else "the effect is the same"
        others = f", and {same} on the other tasks" if len(claim.evidence) > 1 else ""
        return f"{phrase['numbers']} {said(most)}{others}."
    place = "the one that is furthest from it"
    if most is least:
        least = next(e for e in claim.evidence if e is not most)
        place = "where the effect is known on one side only"
    return (
        f"{phrase['numbers']} {said(most)}, the task that comes closest to the paper's sentence, and {said(least)}, "
        f"{place}."
    )


def votes(claim: Claim) -> str:
    """How the tasks speak."""
    words = [e.word for e in claim.evidence]
    if not words:
        return ""
    if not claim.primary.voting:
        return "These numbers are of one training each and have no interval, so they decide nothing."
    if len(words) == 1:
        return f"The interval of the effect {SPOKEN[words[0]]['alone']}."
    counts = [so_many(word, words, SPOKEN) for word in SPOKEN if word in words]
    tasks = "tasks that could be judged" if claim.primary.left_out else "tasks"
    if len({*words}) == 1:
        return f"{all_of(len(words))} {tasks} {SPOKEN[words[0]]['many']}."
    return f"Of the {len(words)} {tasks}, {listed(counts)}."


def shows(weighed: Sequence[Claim], study: Study) -> str:
    """The paper's sentences, and beside each what this run shows, with links that set the explorer of the page."""
    explored = [study.heading(task) for task in tasks_of(study)]
    rows = []
    for claim in weighed:
        quotation = " ".join(claim.quotation.split())
        here = f"**{claim.title}: {claim.primary.outcome}.** {numbers(claim, explored)} {votes(claim)}"
        rows.append([f"“{quotation}” *({claim.place})*", here.strip()])
    text = table(["The paper says", "This run shows"], rows)
    notes = [SHOW_ME] if "lx-show" in text else []
    if any(e.trainings > 1 for claim in weighed for e in claim.evidence):
        notes.append(
            "A number that rests on several trainings is their mean. Landscapes, paths and rollbacks are shown for the "
            f"training with seed {study.seed}."
        )
    return f"{text}\n\n{' '.join(notes)}".strip()


def means(weighed: Sequence[Claim]) -> str:
    """What the verdicts mean, and about which sentences nothing can be said."""
    said = [PHRASES[claim.name][claim.verdict] for claim in weighed if claim.verdict != "undecided"]
    for kind in ("undecided", NOT_JUDGED):
        titles = [f"*{claim.title}*" for claim in weighed if claim.primary.outcome == kind]
        if titles:
            this = "this sentence" if len(titles) == 1 else "these sentences"
            said.append(f"{OUTCOMES[kind]['means']} {this}: {'; '.join(titles)}.")
    return " ".join(" ".join(text.split()) for text in (*said, printed(weighed))).strip()


def printed(weighed: Sequence[Claim]) -> str:
    """What the numbers that the paper prints say by the same rule; "" where it prints none for these claims."""
    parts = []
    for kind, words in OUTCOMES.items():
        titles = [f"*{c.title}*" for c in weighed if c.printed and c.printed.outcome == kind]
        parts += [f"{words['printed']} {listed(titles)}"] if titles else []
    return f"By the same rule, the paper's own Table 1 {listed(parts)}." if parts else ""


def answer(weighed: Sequence[Claim]) -> str:
    """The titles of the claims, by their outcome."""
    parts = []
    for kind, words in OUTCOMES.items():
        found = [claim for claim in weighed if claim.primary.outcome == kind]
        links = "; ".join(f"[{claim.title}]({PHRASES[claim.name]['chapter']}.ipynb)" for claim in found)
        parts += [f"**{words['above']}** ({len(found)} of {len(weighed)}): {links}."] if found else []
    unmeasured = [claim.primary for claim in weighed if not claim.evidence]
    # Which training it was not computed for stands in the details.
    reasons = dict.fromkeys(
        "".join(reason.partition(NOT_COMPUTED)[:2])
        for found in unmeasured
        for reason in found.left_out.values()
    )
    if reasons:
        parts[-1] += f" The reason{'s' if len(reasons) > 1 else ''}: {'; '.join(reasons)}."
    chance = number(sum(claim.primary.chance for claim in weighed))
    parts.append(f"If every effect were exactly zero, one would expect {chance} verdicts by chance.")
    return "\n\n".join(parts)


def conclusion(weighed: Sequence[Claim]) -> str:
    """A sentence for each theme, by the verdicts of its claims; open where fewer than half of them have one."""
    outcomes = {claim.name: claim.primary.outcome for claim in weighed}
    said = []
    for theme in THEMES:
        found = [outcomes.get(name, NOT_JUDGED) for name in theme["claims"]]
        holds, fails = found.count("holds"), found.count("does not hold")
        decided = "some" if holds and fails else "all" if holds else "none"
        which = decided if 2 * (holds + fails) >= len(found) else "open"
        told = f"Of the {len(found)} sentences on it, {counted(found)}."
        if len({*found}) == 1:
            told = unanimous(found[0], len(found))
        said.append(f"{theme[which]} {told}")
    return "\n\n".join(said)


def details(weighed: Sequence[Claim]) -> str:
    """The rule, and for each claim its measures and numbers, all folded."""
    each = [folded(f"{claim.title}: {claim.primary.outcome}", claim.markdown()) for claim in weighed]
    return "\n\n".join([folded(RULE_TITLE, RULE), *each])


def folded(title: str, text: str) -> str:
    """Markdown behind a title that opens it, in a page and in JupyterLab."""
    return f'<details class="folded"><summary>{title}</summary>\n\n{text}\n\n</details>'
