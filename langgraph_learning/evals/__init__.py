"""Evaluation of learning: the same tasks on memory as it was after 0, 10, 100, 1,000 interactions.

```python
from langgraph_learning.evals import Task, contains, evaluate

tasks = [Task("How many orders are there?", user_id="ada", check=contains("12"))]
curve = evaluate(agent, tasks, learning=learning, at=(0, 10, 100))
print(curve)
```

Nothing is learned during an evaluation: the agent recalls an older revision, runs without its checkpointer, and every
write of the learning machine is refused. The agent's own tools run as usual.
"""

from langgraph_learning.evals.checks import contains, exact, f1
from langgraph_learning.evals.curve import LearningCurve, LearningPoint, TaskResult
from langgraph_learning.evals.evaluate import aevaluate, evaluate
from langgraph_learning.evals.tasks import Task, read_tasks

__all__ = [
    "LearningCurve",
    "LearningPoint",
    "Task",
    "TaskResult",
    "aevaluate",
    "contains",
    "evaluate",
    "exact",
    "f1",
    "read_tasks",
]
