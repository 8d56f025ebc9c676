"""`neoserve up` with the shipped model: from nothing to a prediction, and what a user then does."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import httpx

from tests.e2e.conftest import Up
from tests.e2e.terminal import bare_environ, get_job, neoserve
from tests.services import free_port, require_service


def test_a_start_from_nothing_ends_in_a_ready_line_and_a_printed_prediction(stack: Up) -> None:
    output = stack.terminal.output()
    assert re.search(
        r"^neoserve +first prediction: [1-9]\d* tokens in \d+\.\d\d s\n\nOnce upon a time", output, re.M
    )
    assert re.search(rf"^neoserve +ready on {stack.url} after \d+\.\d s\. Ctrl-C ends it\.", output, re.M)
    assert output.index("first prediction") < output.index("ready on http")


def test_the_curl_that_is_printed_works_as_it_is(stack: Up) -> None:
    require_service(shutil.which("curl") is not None, "curl is not installed")
    line = stack.terminal.wait_for(r"^curl .*$").group()
    answer = subprocess.run(
        ["sh", "-c", f"{line} --silent --show-error --noproxy '*'"],
        capture_output=True,
        env=bare_environ(),
        check=True,
    )
    [row] = json.loads(answer.stdout)["result"]
    assert row["generated_text"].startswith("Hello, world!")


def test_the_command_that_is_printed_names_the_port_that_is_not_the_usual_one(stack: Up) -> None:
    stack.terminal.wait_for(rf'^neoserve predict "Once upon a time" --url {stack.url}$')


def test_the_request_of_the_service_that_is_replaced_works_unchanged(stack: Up) -> None:
    answer = httpx.post(
        f"{stack.url}/predict",
        content=b'{"text":"Hello, world!","max_length":50}',
        headers={"Content-Type": "application/json"},
        timeout=60,
    )
    assert answer.status_code == 200
    job = answer.json()
    assert job["result"][0]["generated_text"].startswith("Hello, world!")
    assert job["usage"]["total_tokens"] <= 50


def test_predict_prints_the_text_alone_into_a_pipe(stack: Up) -> None:
    options = ["--max-new-tokens", 12, "--seed", 1, "--url", stack.url]
    first, again = (neoserve("predict", "The little dog", *options) for _ in range(2))
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.startswith("The little dog")
    assert first.stdout == again.stdout


def test_a_job_is_submitted_followed_and_read(stack: Up) -> None:
    submitted = neoserve("submit", "One day", "--max-new-tokens", 8, NEOSERVE_URL=stack.url)
    job_id = submitted.stdout.strip()
    assert f"neoserve wait {job_id}" in submitted.stderr
    status = neoserve("wait", job_id, "--timeout", 60, NEOSERVE_URL=stack.url)
    assert status.returncode == 0, status.stderr
    assert status.stdout.startswith("One day")
    assert get_job(stack.url, job_id)["status"] == "succeeded"


def test_a_request_that_cannot_be_served_is_one_line(stack: Up) -> None:
    result = neoserve("predict", "Hi", "--max-length", 0, "--url", stack.url)
    assert (result.returncode, result.stdout) == (4, "")
    assert re.fullmatch(r"neoserve: max_length.*\[invalid_parameter\]\n", result.stderr)


def test_the_servers_password_is_in_no_argument_list_and_no_output(stack: Up) -> None:
    password = re.search(r"^requirepass (\S+)$", (stack.data / "server.conf").read_text(), re.M)
    assert password is not None
    assert len(stack.terminal.processes()) >= 4
    assert not [command for command in stack.terminal.processes().values() if password[1] in command]
    assert password[1] not in stack.terminal.output()


def test_a_taken_port_is_one_line_with_the_remedy(stack: Up, tmp_path: Path) -> None:
    result = neoserve("up", "--port", stack.port, "--data", tmp_path / "other")
    assert (result.returncode, result.stdout) == (1, "")
    assert re.fullmatch(
        rf"neoserve: Port {stack.port} on 127\.0\.0\.1 is taken\. .*--port\.\n", result.stderr
    )


def test_a_second_start_on_the_same_data_is_one_line_with_the_remedy(stack: Up) -> None:
    result = neoserve("up", "--port", free_port(), "--data", stack.data)
    assert (result.returncode, result.stdout) == (1, "")
    assert re.fullmatch(r"neoserve: Another `neoserve up` is using the data in .*--data\.\n", result.stderr)


def test_the_api_alone_says_so_when_its_port_is_taken(stack: Up) -> None:
    result = neoserve("api", "--port", stack.port)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1
