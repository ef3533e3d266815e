"""Claims on planted worlds: right where there is an effect, silent where there is none.

Each claim is weighed on 100 independent studies of each world. The verdict must be the planted one in at least 95.
Where the effect is zero (at the threshold, for claims that have one), at most 5 may have a verdict at all.
"""

from collections import Counter

import pytest
from planted import Planted

from landscape_utils.claims.claims import CLAIMS

STUDIES = 100
RIGHT = {"true": "holds", "false": "does not hold", "absent": "undecided"}


@pytest.mark.slow
@pytest.mark.parametrize("claim", CLAIMS)
def test_planted_world_gets_its_verdict(claim):
    for world, right in RIGHT.items():
        studies = (Planted(world, draw, claim) for draw in range(STUDIES))
        verdicts = Counter(CLAIMS[claim].primary(study).verdict for study in studies)
        assert verdicts[right] >= 95, f"{world}: {dict(verdicts)}"
