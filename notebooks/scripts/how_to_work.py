"""What the model says in notebooks: written by hand, played where no model is named."""

import re

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from langgraph_learning.testing import call, op
from notebooks.cookbook import Script

QUERY = "select count(*) from orders_v2"
FIXED = "deploy --region eu-west-1"


def procedures() -> Script:
    """Return what the model says in `06_how_to_work/01_procedures.ipynb`."""
    learned = op(
        "save_procedure",
        title="Count orders",
        when="Somebody asks how many orders there are",
        steps=[f"run_sql: {QUERY}"],
        pitfalls=["there is no table orders"],
        quote=QUERY,
    )
    return Script(replies=[_act], extractions=[[learned]], repeat=True)


def _act(messages: list[BaseMessage]) -> AIMessage | str:
    """Query the table that the prompt tells of, else guess; after an error, try the next."""
    last = messages[-1]
    shown = "\n".join(str(each.text) for each in messages if isinstance(each, HumanMessage))
    if isinstance(last, ToolMessage) and last.status == "error":
        return call("run_sql", call_id="2", query=QUERY)
    if isinstance(last, ToolMessage):
        return f"There are {last.text} orders."
    known = re.search(r"select count\(\*\) from \w+_v\d", shown)
    return call("run_sql", query=known[0] if known else "select count(*) from orders")


def instructions_and_reflection() -> Script:
    """Return what the model says in `06_how_to_work/02_instructions_and_reflection.ipynb`."""
    lessons = [
        op("add_instruction", rule="Name the region in every deployment.", quote=FIXED),
        op(
            "save_procedure",
            title="Deploy",
            when="Somebody wants something deployed",
            steps=[f"shell: {FIXED}"],
            pitfalls=["deploy without a region fails"],
            quote=FIXED,
        ),
    ]
    return Script(
        replies=[
            call(
                "add_instruction", rule="Cite the page of the manual.", reason="Readers look it up."
            ),
            "I will, from now on.",
            call("add_instruction", rule="Answer in three sentences at most."),
            "Understood.",
            "See page 12.",
        ],
        extractions=[[], lessons, lessons],
    )
