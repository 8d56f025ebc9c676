-- ARGV: namespace, losses that end a job. Answer: counts by name, flat; `more` when a batch was full.
local BATCH = 100
local KEEP_WORKER_MS = 3600000
local max_losses = tonumber(ARGV[2])
local counts = {}

local function count(name, by)
  counts[name] = (counts[name] or 0) + (by or 1)
end

local function due_in(name, latest)
  local members = redis.call('ZRANGEBYSCORE', key(name), '-inf', latest, 'LIMIT', 0, BATCH)
  if #members == BATCH then counts.more = 1 end
  return members
end

local function disown(id, owner)
  redis.call('ZREM', key('owned', owner), id)
  if redis.call('EXISTS', key('owned', owner)) == 0 then redis.call('SREM', key('owners'), owner) end
end

-- The record has expired, and its tombstone knows whose it was. That may have expired too, where nobody reaped for
-- a day.
local function forget(id)
  redis.call('ZREM', key('index'), id)
  local owner = redis.call('GET', key('tombstone', id))
  if owner then return disown(id, owner) end
  for _, each in ipairs(redis.call('SMEMBERS', key('owners'))) do disown(id, each) end
end

local function each_job_due_in(name, handle)
  for _, id in ipairs(due_in(name, now)) do
    local job = find_job(id)
    if job then
      handle(job)
    else -- Somebody deleted the record by hand.
      redis.call('ZREM', key(name), id)
      redis.call('ZREM', key('queued'), id)
      forget(id)
      count('trimmed')
    end
  end
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
for _, worker in ipairs(due_in('workers', now - KEEP_WORKER_MS)) do
  redis.call('ZREM', key('workers'), worker)
  redis.call('DEL', key('worker', worker))
  count('trimmed')
end
for _, id in ipairs(due_in('index', now)) do
  forget(id)
  count('trimmed')
end
count('num_queued', redis.call('ZCARD', key('queued')))

local flat = {}
for name, number in pairs(counts) do
  table.insert(flat, name)
  table.insert(flat, number)
end
return flat
