"""A way to a test server that a test can close, open again, and fall silent."""

import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit


class Gateway:
    """Passes bytes on to the server of `url` while it is open; while silent it takes them and passes nothing on."""

    def __init__(self, url: str) -> None:
        at = urlsplit(url)
        self._server = (str(at.hostname), int(at.port or 5432))
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        self.url = at._replace(netloc=f"{at.username}@127.0.0.1:{port}").geturl()
        self.silent = False
        self._open, self._sockets = True, set[socket.socket]()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Break all connections and refuse new ones."""
        self._open = False
        for one in list(self._sockets):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._sockets.clear()

    def open(self) -> None:
        """Take new connections again."""
        self._open = True

    def end(self) -> None:
        """Close for good."""
        self.close()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if not self._open:
                    client.close()
                    continue
                server = socket.create_connection(self._server)
                self._sockets |= {client, server}
                for source, target in ((client, server), (server, client)):
                    threading.Thread(target=self._pass_on, args=(source, target), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                if not self.silent:
                    target.sendall(data)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
