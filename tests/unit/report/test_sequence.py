"""The last event of a row, drawn step by step."""

from dataclasses import replace

from heiiki.plan import Plan
from heiiki.report.faults import Step, not_measured
from heiiki.report.sequence import sequences

STEPS = (
    Step("umeda", 0.0, "dras", "dras", "ordered"),
    Step("umeda", 1.5, "dras", "umeda-bems", "event"),
    Step("umeda", 1.75, "umeda-bems", "resource", "perform"),
    Step("umeda", 2.0, "umeda-bems", "dras", "optIn"),
)


def test_each_site_of_a_row_has_a_diagram(plan: Plan) -> None:
    row = not_measured(plan.faults[-1], "measured below")
    other = tuple(replace(step, site="sakai") for step in STEPS[:2])
    found = sequences((row, replace(row, steps=STEPS + other)))
    umeda, sakai = found.drawn
    assert found.left_out == 0
    assert (umeda.row, umeda.site, sakai.site) == (row.name, "umeda", "sakai")
    assert [life.name for life in umeda.lives] == ["dras", "umeda-bems", "resource"]
    assert [(arrow.time, arrow.what, arrow.own) for arrow in umeda.arrows] == [
        ("0 s", "ordered", True),
        ("1.5 s", "event", False),
        ("1.75 s", "perform", False),
        ("2 s", "optIn", False),
    ]
    ends = [(arrow.x, arrow.to_x) for arrow in umeda.arrows]
    dras, ven, resource = (life.x for life in umeda.lives)
    assert ends == [(dras, dras), (dras, ven), (ven, resource), (ven, dras)]
    assert max(arrow.y for arrow in umeda.arrows) < umeda.height
    assert sakai.height < umeda.height


def test_of_very_many_sites_the_first_few_are_drawn_and_the_rest_is_counted(plan: Plan) -> None:
    steps = tuple(Step(f"site-{number}", 0.0, "dras", "dras", "ordered") for number in range(20))
    found = sequences((replace(not_measured(plan.faults[-1], "measured"), steps=steps),))
    assert [one.site for one in found.drawn] == [f"site-{number}" for number in range(8)]
    assert found.left_out == 12
