"""The memory browser: pages to see and decide what was learned, and the same as REST under `/api`.

```python
from langgraph_learning.web import Visitor, create_app

def authenticate(request):                       # sync or async; what your application knows of who asks
    user = session_user(request)                 # None is answered 401
    return Visitor(user.email, everybody=user.is_admin) if user else None

app = create_app(learning, store, authenticate=authenticate)   # any ASGI server, or app.mount("/memory", ...)
```

A visitor who is only a name sees what is kept of that user, and nothing else.
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
