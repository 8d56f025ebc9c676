"""Lets time pass for a job store: everything that it has recorded is moved into the past."""

from __future__ import annotations

from dataclasses import replace

from tasks.jobs.models import Job
from tasks.jobs.store import JobStore

_AGE = """
local ns, by_ms = ARGV[1], tonumber(ARGV[2])
local function age(times)
  for _, member in ipairs(redis.pcall('ZRANGE', times, 0, -1)) do
    redis.call('ZINCRBY', times, -by_ms, member)
  end
end
for _, name in ipairs({
  'attended', 'batches', 'due', 'index', 'leases', 'queued', 'queued_items', 'registered', 'schemas', 'seen',
  'webhook_hosts', 'webhooks_owed', 'workers',
}) do
  age(ns .. ':' .. name)
end
for _, pattern in ipairs({':claimed:*', ':clients:*', ':ends:*', ':webhooks:*'}) do
  for _, times in ipairs(redis.call('KEYS', ns .. pattern)) do age(times) end
end
local times = {'created_at', 'deadline_at', 'started_at', 'first_token_at', 'completed_at', 'expires_at'}
for _, pattern in ipairs({':job:*', ':batch:*'}) do
  for _, record in ipairs(redis.call('KEYS', ns .. pattern)) do
    for i, time in ipairs(redis.call('HMGET', record, unpack(times))) do
      if time and time ~= '' then redis.call('HSET', record, times[i], string.format('%d', time - by_ms)) end
    end
  end
end
for _, flow in ipairs(redis.call('KEYS', ns .. ':flow:*')) do
  local fields = redis.call('HGETALL', flow)
  for i = 1, #fields, 2 do
    if string.find(fields[i], '_at') then
      redis.call('HSET', flow, fields[i], string.format('%d', fields[i + 1] - by_ms))
    end
  end
end
for _, key in ipairs(redis.call('KEYS', ns .. ':*')) do
  local left_ms = redis.call('PTTL', key)
  if left_ms > by_ms then
    redis.call('PEXPIRE', key, left_ms - by_ms)
  elseif left_ms > 0 then
    redis.call('DEL', key)
  end
end
"""


def let_pass(store: JobStore, seconds: float) -> None:
    """As if the server's clock had moved on; works on a real server too."""
    store.client.eval(_AGE, 0, store.namespace, round(seconds * 1000))


def aged(job: Job, seconds: float) -> Job:
    """As it reads when its times have been moved into the past."""
    names = ("created_at", "deadline_at", "started_at", "first_token_at", "completed_at", "expires_at")
    times = {name: getattr(job, name) for name in names}
    return replace(
        job, **{name: round(time - seconds, 3) for name, time in times.items() if time is not None}
    )
