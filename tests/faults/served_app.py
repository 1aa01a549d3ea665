"""The app as people start it, and a visitor without a browser: what Streamlit's own page does, over its socket."""
from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect

from core.workspace import Workspace
from tests.core.jobs.queued import wait_until
from tests.faults.lives import set_for
from tests.pages.seen import strings
from tools import start

ROOT = Path(__file__).parents[2]
PORTS = range(19501, 19551)
SECONDS = 60.0


@dataclass(slots=True)
class App:
    """`streamlit run app.py` for a workspace, at one address of this machine however often it is started."""
    ws: Workspace
    port: int = field(default_factory=lambda: start.choose_port(PORTS[0], PORTS[-1]))
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        with set_for(self.ws), (self.ws.root / "server.log").open("ab") as log:
            self.process = subprocess.Popen([sys.executable, "-m", "streamlit", "run", "app.py", f"--server.port={self.port}",
                                             "--server.address=127.0.0.1", "--server.headless=true"],
                                            cwd=ROOT, env=dict(os.environ), stdout=log, stderr=log)
        wait_until(self._answers)

    def _answers(self) -> bool:
        assert self.process and self.process.poll() is None, (self.ws.root / "server.log").read_text("utf-8")[-2000:]
        return start.answers(self.url)

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()

    def page_of(self, run_id: str) -> str:
        """All that the page of a run says to a visitor who opens its address."""
        said = list[str]()
        with connect(f"ws://127.0.0.1:{self.port}/_stcore/stream", origin=self.url, subprotocols=["streamlit"], max_size=None) as socket:
            asked = BackMsg()
            asked.rerun_script.query_string = f"run={run_id}"
            asked.rerun_script.page_name = "train"
            socket.send(asked.SerializeToString())
            while True:
                message = ForwardMsg.FromString(socket.recv(SECONDS))
                if message.WhichOneof("type") == "script_finished":
                    return "\n".join(said)
                if message.HasField("delta"):
                    said += strings(message.delta)
