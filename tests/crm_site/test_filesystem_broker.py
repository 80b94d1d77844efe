import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from kombu import Connection

from crm_site.filesystem_broker import transport_options

PRODUCE = """
import sys
sys.path.insert(0, sys.argv[1])
import crm_site.celery
from kombu import Connection
from crm_site.filesystem_broker import transport_options
from pathlib import Path
with Connection("folder://localhost/", transport_options=transport_options(Path(sys.argv[2]))) as connection:
    queue = connection.SimpleQueue("work")
    for number in range(int(sys.argv[4])):
        queue.put({"id": f"{sys.argv[3]}-{number}", "filling": "x" * int(sys.argv[5])})
"""
CONSUME = """
import sys
sys.path.insert(0, sys.argv[1])
import json
import crm_site.celery
from kombu import Connection
from crm_site.filesystem_broker import transport_options
from pathlib import Path
taken = []
with Connection("folder://localhost/", transport_options=transport_options(Path(sys.argv[2]))) as connection:
    queue = connection.SimpleQueue("work")
    while True:
        try:
            message = queue.get(timeout=3)
        except queue.Empty:
            break
        assert len(message.payload["filling"]) == int(sys.argv[3])
        taken.append(message.payload["id"])
        message.ack()
print(json.dumps(taken))
"""


def start(code: str, *arguments: object) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", code, str(Path.cwd()), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.fixture
def options(tmp_path: Path) -> dict[str, Any]:
    return transport_options(tmp_path / "broker")


def test_many_producers_and_consumers_lose_and_double_nothing(tmp_path: Path) -> None:
    folder, size = tmp_path / "broker", 20_000
    consumers = [start(CONSUME, folder, size) for _ in range(3)]
    producers = [start(PRODUCE, folder, name, 700, size) for name in "abc"]

    assert [producer.wait(timeout=60) for producer in producers] == [0, 0, 0]
    outputs = [consumer.communicate(timeout=60)[0] for consumer in consumers]
    assert [consumer.returncode for consumer in consumers] == [0, 0, 0]
    taken = Counter(identity for output in outputs for identity in json.loads(output))

    assert taken == Counter(f"{name}-{number}" for name in "abc" for number in range(700))
    assert list((folder / "messages").iterdir()) == []
    assert list((folder / "taken").iterdir()) == []


def test_messages_come_in_the_order_of_sending(options: dict[str, Any]) -> None:
    with Connection("folder://localhost/", transport_options=options) as connection:
        queue = connection.SimpleQueue("work")
        for number in range(5):
            queue.put({"number": number})
        received = [queue.get(timeout=2) for _ in range(5)]

    assert [message.payload["number"] for message in received] == [0, 1, 2, 3, 4]


def test_a_half_written_file_is_never_taken(options: dict[str, Any]) -> None:
    half = Path(options["data_folder_in"]) / ".00000000000000000001_ab.work.msg.4711"
    half.write_text('{"body": "ha')
    with Connection("folder://localhost/", transport_options=options) as connection:
        queue = connection.SimpleQueue("work")

        with pytest.raises(queue.Empty):
            queue.get(timeout=0.3)

    assert half.exists()


def test_queues_do_not_take_each_others_messages(options: dict[str, Any]) -> None:
    with Connection("folder://localhost/", transport_options=options) as connection:
        gpu, default = connection.SimpleQueue("gpu"), connection.SimpleQueue("default")
        gpu.put({"for": "gpu"})

        with pytest.raises(default.Empty):
            default.get(timeout=0.3)
        assert gpu.get(timeout=2).payload == {"for": "gpu"}
        assert gpu.qsize() == 0


def test_a_binding_is_kept_once_and_removed_with_its_queue(options: dict[str, Any]) -> None:
    with Connection("folder://localhost/", transport_options=options) as connection:
        channel: Any = connection.channel()
        channel._queue_bind("news", "a", "", "first")
        channel._queue_bind("news", "a", "", "second")
        channel._queue_bind("news", "a", "", "first")
        assert sorted(channel.get_table("news")) == [("a", "", "first"), ("a", "", "second")]

        channel._delete("first", "news", "a", "")
        assert channel.get_table("news") == [("a", "", "second")]
        assert channel.get_table("unknown") == []


def test_one_process_may_use_two_folders(tmp_path: Path) -> None:
    for name in ("first", "second"):
        options = transport_options(tmp_path / name)
        with Connection("folder://localhost/", transport_options=options) as connection:
            queue = connection.SimpleQueue("twice")
            queue.put({"folder": name})

            assert queue.get(timeout=2).payload == {"folder": name}
