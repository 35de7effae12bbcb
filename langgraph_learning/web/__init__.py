"""The memory browser: pages that show what was learned and let a person decide on it; the same as REST under `/api`.

```python
from langgraph_learning.web import Visitor, create_app

def authenticate(request):                       # sync or async; your application identifies the visitor
    user = session_user(request)                 # for None, the answer is 401
    return Visitor(user.email, everybody=user.is_admin) if user else None

app = create_app(learning, store, authenticate=authenticate)   # any ASGI server, or app.mount("/memory", ...)
```

A visitor without `everybody` sees only the records of the user with that name.
"""

try:
    from langgraph_learning.web.access import Authenticate, Visitor
    from langgraph_learning.web.app import create_app
except ModuleNotFoundError as error:
    if error.name not in ("starlette", "fastapi", "jinja2", "python_multipart"):
        raise
    raise ModuleNotFoundError(
        f"the memory browser needs {error.name}: pip install 'langgraph-learning[web]'", name=error.name
    ) from error

__all__ = ["Authenticate", "Visitor", "create_app"]
