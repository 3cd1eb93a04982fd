"""Starting and stopping servers of our own, for the start-up time, for load and for openai_check.py."""
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


def healthy(port, path):
    """Whether `path` answers 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def server(program, model, flags=()):
    """Runs `qalam serve` until the block ends; gives its port and the milliseconds until it was ready."""
    return process([program, "serve", "--model", model, *flags], "/healthz")


@contextlib.contextmanager
def process(command, path):
    """Runs a server, whose port is added to the command, until the block ends; ready is when `path` answers 200."""
    port = free_port()
    WORK.mkdir(exist_ok=True)
    log = WORK / "serve.log"
    name = relative(command[0])
    with open(log, "w") as output:
        started = time.perf_counter()
        try:
            child = subprocess.Popen(
                [str(word) for word in [*command, "--port", port]], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output,
                stderr=output)
        except FileNotFoundError:
            raise BenchError(f"there is no program {name}; build it with `swift build -c release`")
        try:
            while not healthy(port, path):
                if child.poll() is not None:
                    raise BenchError(f"`{name}` ended with status {child.returncode}; see {relative(log)}")
                if time.perf_counter() - started > DEADLINE:
                    raise BenchError(f"`{name}` was not ready within {DEADLINE:.0f} s; see {relative(log)}")
                time.sleep(0.002)
            yield port, 1000 * (time.perf_counter() - started)
        finally:
            stop(child)


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
