"""Examples of the document: requests that can be sent as they are, and what came back."""

from __future__ import annotations

from typing import Any

Example = dict[str, Any]

PROMPT: Example = {"text": "Once upon a time"}
CHOICES: Example = {
    "text": "There was an owl",
    "max_new_tokens": 8,
    "temperature": 0.8,
    "top_k": 40,
    "stop": ["\n", "."],
    "seed": 7,
    "return_full_text": False,
    "priority": "high",
    "deadline_s": 30,
    "metadata": {"run": "tales"},
}
SEVERAL_TEXTS: Example = {
    "text": "Once upon a time",
    "num_return_sequences": 3,
    "do_sample": True,
    "stop": ".",
}
WITH_WEBHOOK: Example = {
    "text": "Once upon a time",
    "webhook": "https://example.com/told?user=7",
    "webhook_events": ["started", "completed"],
}

_ID = "job_fe03fc385b2b45c8308ba75847099d09"
QUEUED_JOB: Example = {
    "id": _ID,
    "status": "queued",
    "created_at": "2026-11-23T03:36:18.610Z",
    "started_at": None,
    "completed_at": None,
    "expires_at": None,
    "attempt": 0,
    "priority": "normal",
    "model": "stories",
    "parameters": {
        "max_new_tokens": 8,
        "do_sample": True,
        "temperature": 0.65,
        "top_k": 50,
        "top_p": 1.0,
        "repetition_penalty": 1.0,
        "stop": [],
        "seed": 42,
        "num_return_sequences": 1,
        "return_full_text": True,
    },
    "queue": {"position": 1, "eta_s": 2.4},
    "progress": None,
    "result": None,
    "usage": None,
    "metrics": {"queue_s": None, "ttft_s": None, "generate_s": None, "total_s": None},
    "error": None,
    "deadline_at": None,
    "ttl_s": 3600,
    "cancel_on_disconnect": False,
    "retry_of": None,
    "batch_id": None,
    "urls": {
        "self": f"/jobs/{_ID}",
        "cancel": f"/jobs/{_ID}/cancel",
        "events": f"/jobs/{_ID}/events",
        "retry": f"/jobs/{_ID}/retry",
    },
    "webhook_deliveries": [],
    "metadata": {},
}
SUCCEEDED_JOB: Example = {
    **QUEUED_JOB,
    "status": "succeeded",
    "started_at": "2026-11-23T03:36:18.611Z",
    "completed_at": "2026-11-23T03:36:18.678Z",
    "expires_at": "2026-11-23T04:36:18.678Z",
    "attempt": 1,
    "queue": None,
    "result": [
        {"generated_text": "Once upon a time, there was a little girl named Lily", "finish_reason": "length"}
    ],
    "usage": {"prompt_tokens": 4, "completion_tokens": 8, "total_tokens": 12},
    "metrics": {"queue_s": 0.001, "ttft_s": 0.004, "generate_s": 0.067, "total_s": 0.068},
}

STREAM = (
    f'event: queued\ndata: {{"job_id":"{_ID}","position":1,"eta_s":null}}\n\n'
    f'event: started\nid: 1795404965031-0\ndata: {{"job_id":"{_ID}","attempt":1}}\n\n'
    'event: token\nid: 1795404965031-1\ndata: {"text":", there was","index":0}\n\n'
)

BATCH_REQUEST: Example = {
    "defaults": {"max_new_tokens": 8},
    "metadata": {"run": "tales"},
    "requests": [
        {"custom_id": "owl", "text": "There was an owl", "seed": 1},
        {"custom_id": "cat", "text": "There was a cat", "seed": 2},
    ],
}
BATCH_LINES = (
    '{"batch": {"defaults": {"max_new_tokens": 8}, "metadata": {"run": "tales"}}}\n'
    '{"custom_id": "owl", "text": "There was an owl", "seed": 1}\n'
    '{"custom_id": "cat", "text": "There was a cat", "seed": 2}\n'
)
_BATCH_ID = "batch_1e9ad23f8735cf38a322cc5c596333e3"
BATCH: Example = {
    "id": _BATCH_ID,
    "status": "running",
    "created_at": "2026-11-23T03:36:16.086Z",
    "deadline_at": "2026-11-24T03:36:16.086Z",
    "completed_at": None,
    "expires_at": None,
    "counts": {
        "total": 2,
        "waiting": 0,
        "queued": 2,
        "running": 0,
        "succeeded": 0,
        "failed": 0,
        "canceled": 0,
        "expired": 0,
    },
    "urls": {
        "self": f"/batches/{_BATCH_ID}",
        "results": f"/batches/{_BATCH_ID}/results",
        "cancel": f"/batches/{_BATCH_ID}/cancel",
    },
    "webhook_deliveries": [],
    "metadata": {"run": "tales"},
}

COMPLETION: Example = {"model": "stories", "prompt": "Once upon a time", "max_tokens": 12, "temperature": 0}
SEVERAL_PROMPTS: Example = {
    "model": "stories",
    "prompt": ["The cat", "The dog"],
    "n": 2,
    "max_tokens": 6,
    "seed": 1,
}
COMPLETED: Example = {
    "id": "job_2e6c712a730b85524da974eff41a9771",
    "object": "text_completion",
    "created": 1795431521,
    "model": "stories",
    "system_fingerprint": "7d68a7a5fdef",
    "choices": [
        {
            "text": ", there was a little girl named Lily. She loved to",
            "index": 0,
            "logprobs": None,
            "finish_reason": "length",
        }
    ],
    "usage": {"prompt_tokens": 4, "completion_tokens": 12, "total_tokens": 16},
}
CHUNKS = """\
data: {"id":"job_3cacd202aa478d9e7cefa42f1483ac65","object":"text_completion","created":1795431521,\
"model":"stories","system_fingerprint":"7d68a7a5fdef","choices":[{"text":",","index":0,"logprobs":null,\
"finish_reason":null}]}

data: {"id":"job_3cacd202aa478d9e7cefa42f1483ac65","object":"text_completion","created":1795431521,\
"model":"stories","system_fingerprint":"7d68a7a5fdef","choices":[{"text":" there was a little girl named \
Lily. She loved to","index":0,"logprobs":null,"finish_reason":null}]}

data: {"id":"job_3cacd202aa478d9e7cefa42f1483ac65","object":"text_completion","created":1795431521,\
"model":"stories","system_fingerprint":"7d68a7a5fdef","choices":[{"text":"","index":0,"logprobs":null,\
"finish_reason":"length"}]}

data: [DONE]

"""
