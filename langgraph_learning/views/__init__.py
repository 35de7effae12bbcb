"""Views of what was learned: tables, timelines and pictures for notebooks, and Mermaid text.

Records, profiles, recalls, receipts, commits, revisions, proposals and curation reports display themselves; these
functions show many at once:

```python
from langgraph_learning import views

views.table(alex.records())            # many records
views.timeline(alex.commits())         # what was learned when
views.history(alex.history(record.id)) # the states of a record
views.inbox(alex.proposals())          # what waits for a person
views.entity_graph(records)            # Mermaid text; views.entity_picture(records) draws it offline
views.graph_picture(agent.get_graph())
```

All shown values are escaped, whatever they contain.
"""

from langgraph_learning.views.commits import timeline
from langgraph_learning.views.entities import entity_graph, entity_picture
from langgraph_learning.views.graph_drawing import graph_picture
from langgraph_learning.views.learning_curve import curve_picture
from langgraph_learning.views.markup import Html, html
from langgraph_learning.views.mermaid import Mermaid
from langgraph_learning.views.proposals import inbox
from langgraph_learning.views.recall import receipt_bars
from langgraph_learning.views.records import history, profile_table, table
from langgraph_learning.views.reports import curation_table

__all__ = [
    "Html",
    "Mermaid",
    "curation_table",
    "curve_picture",
    "entity_graph",
    "entity_picture",
    "graph_picture",
    "history",
    "html",
    "inbox",
    "profile_table",
    "receipt_bars",
    "table",
    "timeline",
]
