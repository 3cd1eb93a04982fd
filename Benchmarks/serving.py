"""Starting and stopping a `qalam serve` of our own, for the start-up time and for openai_check.py."""
import contextlib
import http.client
import signal
import socket
import subprocess
import time

from harness import ROOT, WORK, BenchError, relative

DEADLINE = 60.0  # seconds


def free_port():
    """A port nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def healthy(port):
    """Whether /healthz answers 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


@contextlib.contextmanager
def server(program, model):
    """Runs a server until the block ends; gives its port and the milliseconds until it was ready."""
    port = free_port()
    WORK.mkdir(exist_ok=True)
    log = WORK / "serve.log"
    with open(log, "w") as output:
        started = time.perf_counter()
        try:
            process = subprocess.Popen(
                [str(program), "serve", "--port", str(port), "--model", str(model)],
                cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        except FileNotFoundError:
            raise BenchError(f"there is no program {relative(program)}; build it with `swift build -c release`")
        try:
            while not healthy(port):
                if process.poll() is not None:
                    raise BenchError(f"`qalam serve` ended with status {process.returncode}; see {relative(log)}")
                if time.perf_counter() - started > DEADLINE:
                    raise BenchError(f"`qalam serve` was not ready within {DEADLINE:.0f} s; see {relative(log)}")
                time.sleep(0.002)
            yield port, 1000 * (time.perf_counter() - started)
        finally:
            stop(process)


def stop(process):
    """Asks the server to end, and ends it if it does not within ten seconds."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def startup_ms(program, model):
    """The milliseconds from starting the process to its first 200 on /healthz."""
    with server(program, model) as (_, milliseconds):
        return milliseconds
