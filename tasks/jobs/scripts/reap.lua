-- ARGV: namespace, losses that end a job. Answer: counts by name, flat; `more` when a batch was full.
local BATCH = 100
local KEEP_WORKER_MS = 3600000
-- As long as a job that has ended and its tombstone may be kept.
local KEEP_SCHEMA_MS = 8 * 86400000
local max_losses = tonumber(ARGV[2])
local counts = {}

local function count(name, by)
  counts[name] = (counts[name] or 0) + (by or 1)
end

local function due_in(name, latest, first)
  return redis.call('ZRANGEBYSCORE', key(name), '-inf', latest, 'LIMIT', first, BATCH)
end

local function handle_job(name, id, handle)
  local job = find_job(id)
  if not job then -- Somebody deleted the record by hand.
    redis.call('ZREM', key(name), id)
    redis.call('ZREM', key('queued'), id)
    count('trimmed')
  elseif is_foreign(job) then
    return false
  else
    handle(job)
  end
  return true
end

-- Jobs of other versions stay where they are, and must not hide those behind them.
local function each_job_due_in(name, handle)
  local num_foreign, passed_over = 0, 0
  repeat
    num_foreign = num_foreign + passed_over
    passed_over = 0
    local ids = due_in(name, now, num_foreign)
    for _, id in ipairs(ids) do
      if not handle_job(name, id, handle) then passed_over = passed_over + 1 end
    end
    if #ids == BATCH and passed_over == 0 then counts.more = 1 end
  until passed_over == 0
end

local function take_from_worker(job)
  local losses = job.losses + 1
  redis.call('HSET', key('job', job.id), 'losses', losses)
  if job.cancel_requested == '1' then
    end_unheld(job, 'canceled', '', '')
    count('canceled')
  elseif past_deadline(job) and job.status == 'running' then
    end_unheld(job, 'failed', 'deadline_exceeded', 'The deadline passed while the job ran.')
    count('deadline_exceeded')
  elseif past_deadline(job) then
    expire(job)
    count('expired')
  elseif losses >= max_losses then
    end_unheld(job, 'failed', 'worker_lost', string.format('%d workers stopped while they held the job.', losses))
    count('worker_lost')
  else
    requeue(job, losses)
    count('requeued')
  end
end

local function look_at_waiting(job)
  if job.deadline_at ~= '' then
    expire(job)
    return count('expired')
  end
  local seen = tonumber(redis.call('ZSCORE', key('seen'), job.fingerprint) or now)
  if seen + MODEL_PATIENCE_MS > now then
    redis.call('ZADD', key('due'), seen + MODEL_PATIENCE_MS, job.id)
    return
  end
  end_unheld(job, 'failed', 'model_unavailable', 'No worker with the model of this job was there for 10 minutes.')
  count('model_unavailable')
end

each_job_due_in('leases', take_from_worker)
each_job_due_in('due', look_at_waiting)
for _, worker in ipairs(due_in('workers', now - KEEP_WORKER_MS, 0)) do
  redis.call('ZREM', key('workers'), worker)
  redis.call('DEL', key('worker', worker))
  count('trimmed')
end
count('trimmed', redis.call('ZREMRANGEBYSCORE', key('index'), '-inf', now))
redis.call('ZREMRANGEBYSCORE', key('schemas'), '-inf', now - KEEP_SCHEMA_MS)
count('num_queued', redis.call('ZCARD', key('queued')))

local flat = {}
for name, number in pairs(counts) do
  table.insert(flat, name)
  table.insert(flat, number)
end
return flat
