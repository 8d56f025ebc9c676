-- needs: ends, slots, deliveries
-- ARGV: namespace, losses that end a job, ms of outages in which no lease ran. Answer: counts by name, flat; `more` when a
-- batch was full, `astray` when jobs are in no place and this caller is to look for them.
local BATCH = 100
local BATCHES = 10
local LOOK_AT_BATCHES_MS = 10000
local LOOK_AT_OWED_MS = 10000
local KEEP_WORKER_MS = 3600000
-- As long as a job that has ended and its tombstone may be kept.
local KEEP_SCHEMA_MS = 8 * 86400000
local RESTORE_EVERY_MS = 5000
local max_losses, away_ms = tonumber(ARGV[2]), tonumber(ARGV[3])
local counts = {}

local function count(name, by)
  counts[name] = (counts[name] or 0) + (by or 1)
end

local function due_in(name, latest, first)
  return redis.call('ZRANGEBYSCORE', key(name), '-inf', latest, 'LIMIT', first, BATCH)
end

-- No job depends on these: where somebody has overwritten one, submits say so and the reaper goes on.
local function disown(id, owner)
  local jobs, batches = key('owned', owner), key('owned_batches', owner)
  redis.pcall('ZREM', jobs, id)
  redis.pcall('ZREM', batches, id)
  if redis.call('EXISTS', jobs, batches) == 0 then redis.pcall('SREM', key('owners'), owner) end
end

-- The record of a job or a batch has expired, and its tombstone knows whose it was. That may have expired too, where nobody reaped for
-- a day.
local function forget(id)
  redis.call('ZREM', key('index'), id)
  local owner = redis.pcall('GET', key('tombstone', id))
  if type(owner) == 'string' then return disown(id, owner) end
  for _, each in ipairs(redis.pcall('SMEMBERS', key('owners'))) do disown(id, each) end
end

local function handle_job(name, id, handle)
  local job = find_job(id)
  if not job then -- Somebody deleted the record by hand.
    redis.call('ZREM', key(name), id)
    redis.call('ZREM', key('queued'), id)
    forget(id)
    count('trimmed')
  elseif is_foreign(job) then
    return false
  else
    handle(job)
  end
  return true
end

-- Jobs of other versions stay where they are, and must not hide those behind them.
local function each_job_due_in(name, latest, handle)
  local num_foreign, passed_over = 0, 0
  repeat
    num_foreign = num_foreign + passed_over
    passed_over = 0
    local ids = due_in(name, latest, num_foreign)
    for _, id in ipairs(ids) do
      if not handle_job(name, id, handle) then passed_over = passed_over + 1 end
    end
    if #ids == BATCH and passed_over == 0 then counts.more = 1 end
  until passed_over == 0
end

local function take_from_worker(job)
  check_places(job)
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
  elseif losses >= max_losses and job.status == 'running' then
    -- It ran alone. While it only waited for that, another job brought down the worker.
    end_unheld(job, 'failed', 'worker_lost', string.format('%d workers stopped while they held the job.', losses))
    count('worker_lost')
  else
    requeue(job, losses)
    tally('redeliveries:worker_lost')
    count('requeued')
  end
end

local function look_at_waiting(job)
  if job.deadline_at ~= '' then
    expire(job)
    return count('expired')
  end
  local seen = tonumber(redis.call('ZSCORE', key('seen'), job.fingerprint) or now)
  local patient_until = seen + MODEL_PATIENCE_MS + away_ms
  if patient_until > now then
    redis.call('ZADD', key('due'), patient_until, job.id)
    return
  end
  end_unheld(job, 'failed', 'model_unavailable', 'No worker with the model of this job was there for 10 minutes.')
  count('model_unavailable')
end

-- Only those whose last client has hung up, or has not been heard of for a lease, are due here. A version that knew no
-- `attended` notes its clients in `clients` alone.
local function look_at_attended(job)
  if has_ended(job) then
    redis.call('ZREM', key('attended'), job.id)
    return
  end
  local last = tonumber(redis.pcall('ZRANGE', key('clients', job.id), -1, -1, 'WITHSCORES')[2])
  if last and last > now - away_ms then
    redis.call('ZADD', key('attended'), last, job.id)
    return
  end
  cancel(job)
  redis.call('ZREM', key('attended'), job.id)
  count('abandoned')
end

-- A delivery that a worker of an earlier version has not written, or somebody has deleted, is written here; one whose
-- record has expired has nobody left whom it concerns. Whether it was dropped.
local function look_at_owed(member)
  local id, host = string.match(member, '^(%S+) (.+)$')
  local kind, record = find_told(id or '')
  if not kind then
    for _, event in ipairs(id and WEBHOOK_EVENTS or {}) do drop_delivery(host, id, event) end
  elseif is_foreign(record) then
    redis.pcall('ZADD', key('webhooks_owed'), now, member)
    return false
  elseif has_ended(record) then
    announce(kind, record, 'completed')
  end
  for _, event in ipairs(kind and WEBHOOK_EVENTS or {}) do
    local delivery = read_delivery(kind, id, event)
    if delivery and delivery.next_at then
      redis.pcall('ZADD', key('webhooks', host), 'NX', delivery.next_at, id .. ':' .. event)
      note_host(host)
    end
  end
  if kind and not is_all_told(kind, record) then
    redis.pcall('ZADD', key('webhooks_owed'), now, member)
    return false
  end
  redis.pcall('ZREM', key('webhooks_owed'), member)
  return true
end

local function look_at_all_owed()
  local looked_at = now - LOOK_AT_OWED_MS
  local owed = redis.pcall('ZRANGEBYSCORE', key('webhooks_owed'), '-inf', looked_at, 'LIMIT', 0, BATCH)
  local dropped = 0
  for _, member in ipairs(owed.err and {} or owed) do
    if look_at_owed(member) then dropped = dropped + 1 end
  end
  if dropped == BATCH then counts.more = 1 end
end

-- Whether fewer jobs are in their places than have not ended: somebody has deleted such a place.
local function are_astray()
  local waiting, in_queues = redis.call('ZCARD', key('queued')), 0
  for _, fingerprint in ipairs(redis.call('ZRANGE', key('seen'), 0, -1)) do
    for _, priority in ipairs({'high', 'normal', 'low'}) do
      in_queues = in_queues + redis.call('ZCARD', key('queue', fingerprint, priority))
    end
  end
  return redis.call('ZCOUNT', key('index'), '+inf', '+inf') > waiting + redis.call('ZCARD', key('leases'))
    or waiting ~= redis.call('ZCARD', key('due')) or waiting > in_queues
end

check_indexes()
each_job_due_in('leases', now - away_ms, take_from_worker)
each_job_due_in('due', now, look_at_waiting)
each_job_due_in('attended', now - away_ms, look_at_attended)
for _, worker in ipairs(due_in('workers', now - KEEP_WORKER_MS, 0)) do
  redis.call('ZREM', key('workers'), worker)
  redis.call('DEL', key('worker', worker))
  count('trimmed')
end
local expired = due_in('index', now, 0)
if #expired == BATCH then counts.more = 1 end
for _, id in ipairs(expired) do
  forget(id)
  count('trimmed')
end
local looked_at = now - LOOK_AT_BATCHES_MS
for _, id in ipairs(redis.call('ZRANGEBYSCORE', key('batches'), '-inf', looked_at, 'LIMIT', 0, BATCHES)) do
  local batch = find_batch(id)
  redis.call('ZADD', key('batches'), now, id)
  if batch and not is_foreign(batch) then
    repair(batch)
  elseif not batch then -- Somebody deleted it by hand.
    redis.call('ZREM', key('batches'), id)
    redis.pcall('HDEL', key('unfinished'), id)
    forget(id)
    count('trimmed')
  end
end

look_at_all_owed()

-- How many tokens a queue holds at most is counted as jobs come and go. A worker of an earlier version does not count,
-- and a record that somebody deleted by hand takes its number along: so all is counted again now and then, or of a long
-- queue so many jobs, by which a count that is right is not far off.
local SAMPLE, FAR_OFF, RECOUNT_MS = 500, 2, 10000

local function recount(fingerprint, priority)
  local queue, waiting = key('queue', fingerprint, priority), queue_length(fingerprint, priority)
  if waiting == 0 then return end
  local members, tokens = redis.call('ZRANDMEMBER', queue, SAMPLE), 0
  for _, member in ipairs(members) do
    tokens = tokens + (tonumber(redis.pcall('HGET', key('job', string.sub(member, 18)), 'work')) or 0)
  end
  local counted = tonumber(read_flow(fingerprint, 'tokens_' .. priority)[1]) or 0
  local likely = math.floor(tokens * waiting / #members)
  if waiting <= SAMPLE and counted ~= likely or counted > likely * FAR_OFF or counted * FAR_OFF < likely then
    note_flow(fingerprint, 'HSET', 'tokens_' .. priority, string.format('%d', likely))
  end
end

-- Jobs whose records somebody has deleted by hand, or that workers of an earlier version have ended.
local function recount_held(fingerprint)
  local held, rows = redis.pcall('ZRANGE', key('ends', fingerprint), 0, -1), 0
  for _, id in ipairs(held.err and {} or held) do
    local job = find_job(id)
    if job and redis.call('ZSCORE', key('leases'), id) then
      rows = rows + tonumber(job.num_rows)
    else
      redis.pcall('ZREM', key('ends', fingerprint), id)
      redis.pcall('ZREM', key('claimed', fingerprint), id)
    end
  end
  if (tonumber(read_flow(fingerprint, 'rows')[1]) or 0) ~= rows then
    note_flow(fingerprint, 'HSET', 'rows', string.format('%d', rows))
  end
end

note_slots()
local recounted_at = tonumber(redis.pcall('HGET', key('counters'), 'recounted_at')) or 0
if now >= recounted_at + RECOUNT_MS then
  redis.pcall('HSET', key('counters'), 'recounted_at', now)
  for _, fingerprint in ipairs(redis.call('ZRANGE', key('seen'), 0, -1)) do
    for _, priority in ipairs(PRIORITIES) do recount(fingerprint, priority) end
    recount_held(fingerprint)
  end
end

redis.call('ZREMRANGEBYSCORE', key('schemas'), '-inf', now - KEEP_SCHEMA_MS)
count('num_queued', redis.call('ZCARD', key('queued')))

if are_astray() and redis.call('SET', key('restoring'), '', 'NX', 'PX', RESTORE_EVERY_MS) then count('astray') end

local flat = {}
for name, number in pairs(counts) do
  table.insert(flat, name)
  table.insert(flat, number)
end
return flat
