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

local function each_job_due_in(name, handle)
  for _, id in ipairs(due_in(name, now)) do
    local job = find_job(id)
    if job then
      handle(job)
    else -- Somebody deleted the record by hand.
      redis.call('ZREM', key(name), id)
      redis.call('ZREM', key('queued'), id)
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
count('trimmed', redis.call('ZREMRANGEBYSCORE', key('index'), '-inf', now))

-- How many tokens a queue holds at most is counted as jobs come and go. A worker of an earlier version does not count,
-- and a record that somebody deleted by hand takes its number along: so all is counted again now and then, or of a long
-- queue so many jobs, by which a count that is right is not far off.
local SAMPLE, FAR_OFF, RECOUNT_MS = 500, 2, 10000

local function recount(fingerprint, priority)
  local queue = key('queue', fingerprint, priority)
  local waiting = redis.call('ZCARD', queue)
  if waiting == 0 then return end
  local members, tokens = redis.call('ZRANDMEMBER', queue, SAMPLE), 0
  for _, member in ipairs(members) do
    tokens = tokens + (tonumber(redis.pcall('HGET', key('job', string.sub(member, 18)), 'work')) or 0)
  end
  local counted = tonumber(redis.call('HGET', key('flow', fingerprint), 'tokens_' .. priority) or 0)
  local likely = math.floor(tokens * waiting / #members)
  if waiting <= SAMPLE and counted ~= likely or counted > likely * FAR_OFF or counted * FAR_OFF < likely then
    note_flow(fingerprint, 'HSET', 'tokens_' .. priority, string.format('%d', likely))
  end
end

local recounted_at = tonumber(redis.call('HGET', key('counters'), 'recounted_at') or 0)
if redis.call('EXISTS', key('queued')) == 1 and now >= recounted_at + RECOUNT_MS then
  redis.call('HSET', key('counters'), 'recounted_at', now)
  for _, fingerprint in ipairs(redis.call('ZRANGE', key('seen'), 0, -1)) do
    for _, priority in ipairs(PRIORITIES) do recount(fingerprint, priority) end
  end
end

count('num_queued', redis.call('ZCARD', key('queued')))

local flat = {}
for name, number in pairs(counts) do
  table.insert(flat, name)
  table.insert(flat, number)
end
return flat
