"""A success that the vendor never gave, on the sandbox: a page of HTML for a write."""

from __future__ import annotations

from service.catalogue.steps.timings import Timings
from service.catalogue.supabase.target import SupabaseTarget
from service.providers.supabase import SupabaseCompute
from service.store.clock import StoreClock
from tests.fakes.runs import planned, request_for, works_on
from tests.reliability import VendorSaw, scenario
from tests.unit.sandbox.support import PROJECT, TOKEN, served

TARGET = SupabaseTarget("database", PROJECT, ("ci_micro", "ci_small", "ci_medium"))
HTML = {
    "status": 200,
    "headers": {"Content-Type": "text/html"},
    "body": "<html>Sign in to the network</html>",
}


@scenario(
    "Other writes",
    "A proxy answers the change of a database's size with 200 and a page of HTML.",
    "The answer counts as unknown: the project is looked at, and the change is sent again because "
    "it was not taken. The thread says so. The run succeeds.",
    "PATCH",
)
def test_a_resize_answered_with_a_page_of_html_is_looked_after_and_sent_again(
    vendor_saw: VendorSaw,
) -> None:
    timings = Timings(settle_unknown_s=0.2, database_begins_s=0.2)
    with served() as sandbox:
        database = SupabaseCompute(token=TOKEN, base_url=f"{sandbox.url}/supabase")
        clock = StoreClock()
        request = request_for("scale_database", TARGET)
        run = planned(works_on(clock, database=database, timings=timings), request, clock)
        sandbox.fault(vendor="supabase", method="PATCH", **HTML)

        records = run.execute()

        assert records["verify"]["variant"] == "ci_small"
        sent = [one for one in sandbox.calls() if one["method"] == "PATCH"]
        assert [one["acted"] for one in sent] == [False, True]
        vendor_saw(one["method"] for one in sent if one["acted"])
        assert "Looking whether it was taken" in run.context.told[0]
