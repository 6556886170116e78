"""A terminal of a simulated device: echo, lines, pages, columns, slow prompts, and connections that break."""

from collections import deque

import asyncssh

from heiiki_lab.devices.shell import Reply, Shell

_ERASE, _ENDS = "\x7f\x08", "\r\n"
_PIECE_S = 0.002


class Terminal(asyncssh.SSHServerSession[str]):
    """One SSH session at a shell."""

    def __init__(self, shell: Shell) -> None:
        """Serve `shell`."""
        self._shell = shell
        self._typed = ""
        self._waiting: deque[str] = deque()
        self._busy = False
        self._pages: list[str] = []
        self._sent = 0
        self._cut = shell.device.faults.cut_at
        shell.device.faults.cut_at = -1
        self._column = 0
        self._over = False
        self._out: list[str] = []
        self._pieces: deque[str] = deque()
        self._trickling = False

    def connection_made(self, chan: asyncssh.SSHServerChannel[str]) -> None:
        """Keep the channel."""
        self._channel = chan

    def session_started(self) -> None:
        """Show the first prompt."""
        self._later(Reply())

    def data_received(self, data: str, datatype: asyncssh.DataType) -> None:
        """Take what was typed."""
        del datatype
        self._waiting.extend(data)
        self._read()
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the shell, once: a session that did not log out was dropped."""
        del exc
        if not self._over:
            self._over = True
            self._shell.lost()

    def _read(self) -> None:
        while self._waiting and not self._busy and not self._over:
            char = self._waiting.popleft()
            if self._pages:
                self._turn(char)
            elif char in _ENDS:
                if char == "\r" and self._waiting and self._waiting[0] == "\n":
                    self._waiting.popleft()
                self._line()
            elif char in _ERASE:
                self._typed = self._typed[:-1]
            else:
                self._typed += char
                if not self._shell.hidden:
                    self._put(char)

    def _line(self) -> None:
        line, self._typed = self._typed, ""
        self._put("\r\n")
        if self._over:  # cut in the echo: the line never reached the shell
            return
        self._later(self._shell.enter(line))

    def _later(self, reply: Reply) -> None:
        """Answer when the device has thought."""
        self._busy = True
        delay = self._shell.device.spec.prompt_delay_ms / 1000
        if delay:
            self._shell.device.later(delay, lambda: self._answer(reply))
        else:
            self._answer(reply)

    def _answer(self, reply: Reply) -> None:
        self._busy = False
        if self._over:
            return
        if reply.close:
            self._flush()
            self._over = True
            self._shell.ended()
            self._channel.exit(0)
            return
        self._pages = reply.text.splitlines(keepends=True)
        self._show(self._shell.page_lines - 1)
        self._read()
        self._flush()

    def _show(self, lines: int) -> None:
        """Show so many lines, then ask for more or show the prompt."""
        count = lines if self._shell.page_lines else len(self._pages)
        text, self._pages = self._pages[:count], self._pages[count:]
        self._put(
            "".join(text).replace("\n", "\r\n") + (self._shell.more if self._pages else self._shell.prompt())
        )

    def _turn(self, key: str) -> None:
        """Take a key at the end of a page."""
        self._put("\r" + " " * len(self._shell.more) + "\r")
        if key in "qQ\x03":
            self._pages = []
        self._show(1 if key in _ENDS else self._shell.page_lines - 1)

    def _put(self, text: str) -> None:
        if self._over:
            return
        shown = self._folded(text) if self._shell.folds else text
        left = len(shown) if self._cut < 0 else self._cut - self._sent
        self._sent += len(shown)
        piece = self._shell.device.faults.piece
        if piece:
            self._trickle(shown[:left], piece)
        else:
            self._out.append(shown[:left])
        if 0 <= self._cut <= self._sent:
            self.cut()

    def _flush(self) -> None:
        """Send what was said in one piece, as a device does with lines that arrive in one."""
        if self._out and not self._over:
            self._channel.write("".join(self._out))
            self._out.clear()

    def _trickle(self, text: str, piece: int) -> None:
        """Send in pieces, a moment apart, whatever is sent later behind them."""
        self._pieces.extend(text[place : place + piece] for place in range(0, len(text), piece))
        if not self._trickling:
            self._trickling = True
            self._next_piece()

    def _next_piece(self) -> None:
        if not self._pieces or self._over:
            self._trickling = False
            return
        self._channel.write(self._pieces.popleft())
        self._shell.device.later(_PIECE_S, self._next_piece)

    def cut(self) -> None:
        """Break the connection."""
        if not self._over:
            self._flush()
            self._over = True
            self._shell.lost()
            self._channel.get_connection().abort()

    def _folded(self, text: str) -> str:
        """Break lines at the last column."""
        out = []
        for char in text:
            if char in _ENDS:
                self._column = 0
            elif self._column == self._shell.width:
                out.append("\r\n")
                self._column = 1
            else:
                self._column += 1
            out.append(char)
        return "".join(out)
