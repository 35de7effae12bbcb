"""The pages for work on all records of a user, which may take long: curation, and erasing the user."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from langgraph_learning.web.access import visitor
from langgraph_learning.web.rendering import Renderer
from langgraph_learning.web.service import count_by_store


class MaintenancePages(Renderer):
    """The pages that curate the records of a user, or erase the user. Each asks for a confirmation first."""

    def routes(self) -> list[Route]:
        """Return the routes of the pages: GET asks, POST does it."""
        return [
            Route("/curate", self.ask_to_curate, methods=["GET"]),
            Route("/curate", self.curate, methods=["POST"]),
            Route("/forget", self.ask_to_forget, methods=["GET"]),
            Route("/forget", self.forget, methods=["POST"]),
        ]

    async def ask_to_curate(self, request: Request) -> Response:
        """Show what curation does, and a form to start a dry run."""
        return self.show(request, "curate.html", user=self._curated_user(request), report=None, days="")

    async def curate(self, request: Request) -> Response:
        """Show the changes of a dry run, or make them."""
        form, user = await self.form(request), self._curated_user(request)
        days, apply = str(form.get("days", "")).strip(), form.get("answer") == "apply"
        age = _read_days(days)

        async def work() -> Response:
            report = await self.memory.scoped(user).acurate(dry_run=not apply, max_age_days=age)
            return self.show(request, "curate.html", user=user, report=report, days=days)

        return await self.show_when_done(request, work(), "Looking through all that is known")

    async def ask_to_forget(self, request: Request) -> Response:
        """Show what would be erased, and a form to confirm it."""
        return await self._forget_form(request, self.user(request), wrong=False)

    async def forget(self, request: Request) -> Response:
        """Erase a user if their id was typed in as a confirmation; otherwise show the form again."""
        form, user = await self.form(request), self.user(request)
        if form.get("typed") != user:
            return await self._forget_form(request, user, wrong=True)

        async def work() -> Response:
            counts = await self._count(user)
            await self.memory.forget(user)
            return self.show(request, "forgotten.html", counts=counts)

        return await self.show_when_done(request, work(), "Erasing")

    async def _forget_form(self, request: Request, user: str, *, wrong: bool) -> Response:
        variables = {"counts": await self._count(user), "wrong": wrong}
        return self.show(request, "forget.html", 422 if wrong else 200, user=user, **variables)

    async def _count(self, user: str) -> dict[str, int]:
        records = [record for record in await self.memory.records(user) if record.scope.user_id is not None]
        return {**count_by_store(records), "commits": len(await self.memory.scoped(user).acommits())}

    def _curated_user(self, request: Request) -> str:
        """Return the user whose records are curated.

        Only a visitor with `everybody` may do it, because curation also changes shared records.
        """
        if not visitor(request).everybody:
            raise HTTPException(404, "there is no such page")
        return self.user(request)


def _read_days(typed: str) -> float | None:
    """Return the number of days that was typed in; None if the field is empty.

    Raises:
        HTTPException: 422, because it is not a whole number.
    """
    if not typed:
        return None
    if not (typed.isascii() and typed.isdecimal() and len(typed) < 6 and int(typed)):
        raise HTTPException(422, "the number of days is a whole number")
    return float(typed)
