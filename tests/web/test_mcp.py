"""One user's memory through the official SDK's client."""

import asyncio
import socket
import sys
from typing import Any

import httpx
import pytest

from langgraph_learning import LearningMachine, LearningMode, UserMemoryConfig
from langgraph_learning.errors import ConfigurationError

pytest.importorskip("mcp", reason="needs the extra `mcp`")

from mcp import Client, StdioServerParameters
from web.world import ALEX, SAM

from langgraph_learning.mcp import create_server

World = tuple[LearningMachine, Any]


def text(result: Any) -> str:
    assert not result.is_error, result
    return str(result.content[0].text)


async def test_a_client_remembers_searches_recalls_updates_and_forgets(world: World) -> None:
    learning, store = world
    async with Client(create_server(learning, store, user_id=ALEX)) as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
        assert names == {"search", "recall", "remember", "update", "forget"}
        assert "Stored" in text(await client.call_tool("remember", {"content": "Cycles to work"}))
        [record] = [
            one for one in learning.scoped(user_id=ALEX, store=store).records("user_memory") if "Cycles" in one.text
        ]
        assert record.source.actor == "agent"
        assert record.id in text(await client.call_tool("search", {"query": "cycles"}))
        assert "Updated" in text(await client.call_tool("update", {"id": record.id, "content": "Walks to work"}))
        assert "Walks to work" in text(await client.call_tool("recall", {"question": "How do I get to work?"}))
        assert "Removed" in text(await client.call_tool("forget", {"id": record.id}))
        assert "Walks" not in text(await client.call_tool("search", {"query": "walks to work"}))


async def test_the_profile_is_a_resource(world: World) -> None:
    async with Client(create_server(*world, user_id=ALEX)) as client:
        [found] = (await client.read_resource("memory://profile")).contents
        assert '"name":"Alex"' in found.text  # type: ignore[union-attr]


async def test_a_server_of_one_user_reaches_nothing_of_another(world: World) -> None:
    learning, store = world
    [theirs] = learning.scoped(user_id=SAM, store=store).records("user_memory")
    async with Client(create_server(learning, store, user_id=ALEX)) as client:
        assert "Secretly" not in text(await client.call_tool("search", {"query": "secretly likes"}))
        for tool, arguments in (("forget", {}), ("update", {"content": "x y z"})):
            refused = await client.call_tool(tool, {"id": theirs.id, **arguments})
            assert refused.is_error
            assert "Nothing was stored" in refused.content[0].text  # type: ignore[union-attr]
    assert [theirs] == learning.scoped(user_id=SAM, store=store).records("user_memory")


async def test_what_a_model_writes_waits_for_a_person_where_the_learning_store_proposes(world: World) -> None:
    proposing = LearningMachine(user_memory=UserMemoryConfig(mode=LearningMode.PROPOSE))
    async with Client(create_server(proposing, world[1], user_id=SAM)) as client:
        assert "a person is asked" in text(await client.call_tool("remember", {"content": "Owns a boat"}))
    scoped = proposing.scoped(user_id=SAM, store=world[1])
    assert not any("boat" in record.text for record in scoped.records())
    assert any("boat" in proposal.description for proposal in scoped.proposals())


async def test_the_command_serves_over_stdio(database: str) -> None:
    arguments = ["-m", "langgraph_learning.cli", "mcp", "-d", database, "-u", ALEX]
    async with Client(StdioServerParameters(command=sys.executable, args=arguments)) as client:
        assert "Prefers short answers" in text(await client.call_tool("recall", {"question": "How do I like answers?"}))


async def test_the_command_serves_over_http_to_this_machine_alone(database: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = ["-m", "langgraph_learning.cli", "mcp", "--http", "--port", str(port), "-d", database, "-u", ALEX]
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments)
    try:
        async with Client(f"http://{await _answering('127.0.0.1', port, process)}/mcp") as client:
            assert "Stored" in text(await client.call_tool("remember", {"content": "Cycles to work"}))
            assert "Cycles to work" in text(await client.call_tool("recall", {"question": "How do I get to work?"}))
            [found] = (await client.read_resource("memory://profile")).contents
            assert '"name":"Alex"' in found.text  # type: ignore[union-attr]
        async with httpx.AsyncClient() as elsewhere:  # a page of another site, that lets its own name point here
            headers = {"host": "evil.example", "accept": "application/json, text/event-stream"}
            answer = await elsewhere.post(f"http://127.0.0.1:{port}/mcp", headers=headers, json={})
            assert answer.status_code in (403, 421)
    finally:
        process.terminate()
        await process.wait()


async def _answering(host: str, port: int, process: asyncio.subprocess.Process) -> str:
    """Wait until something listens, or the process has ended."""
    while process.returncode is None:
        try:
            _, writer = await asyncio.open_connection(host, port)
        except OSError:
            await asyncio.sleep(0.05)
            continue
        writer.close()
        await writer.wait_closed()
        return f"{host}:{port}"
    raise AssertionError("the server has ended")


def test_a_server_of_nobody_is_refused(world: World) -> None:
    with pytest.raises(ConfigurationError, match="whose memory"):
        create_server(*world, user_id="")
