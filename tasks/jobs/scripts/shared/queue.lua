-- needs: flow
-- How a job joins its queue and leaves it, and whose turn it is.

local MODEL_PATIENCE_MS = 600000

local function check_queue(fingerprint, priority)
  expect_sorted(key('queue', fingerprint, priority), key('turns', fingerprint, priority))
  expect('hash', key('waiting', fingerprint, priority))
  expect('hash', key('served', fingerprint))
  number_in(key('served', fingerprint), priority)
end

-- Who takes turns in a queue: every owner, and the batches of each for themselves, behind whose items a single job of
-- the same owner would wait otherwise.
local function party(job)
  return (job.batch or '') == '' and job.owner or 'batches of ' .. job.owner
end

-- Where a queue keeps its jobs, and how many of them each party has (`waiting`) and the party's last turn.
local function queue_key(job, what)
  return key(what, job.fingerprint, job.priority)
end

-- All that a job needs to join its queue, or to leave it.
local function check_places(job)
  check_queue(job.fingerprint, job.priority)
  number_in(queue_key(job, 'waiting'), party(job))
end

-- Its 1-based position (0: it does not wait), and what the time until its start is estimated from.
local function place(job)
  local rank = redis.call('ZRANK', queue_key(job, 'queue'), job.member)
  if not rank then return 0, {} end
  return rank + 1, backlog(job.fingerprint)
end

-- A party's next job takes the turn after its last one: parties alternate, and each keeps its own order.
local function next_turn(job)
  local served = number_in(key('served', job.fingerprint), job.priority)
  local last = redis.call('ZSCORE', queue_key(job, 'turns'), party(job))
  return last and math.max(served, tonumber(last) + 1) or served
end

local function join_queue(job)
  local due = job.deadline_at ~= '' and job.deadline_at or now + MODEL_PATIENCE_MS
  if redis.call('ZADD', queue_key(job, 'queue'), job.turn, job.member) == 1 then
    redis.call('HINCRBY', queue_key(job, 'waiting'), party(job), 1)
    count_work(job, 1)
  end
  redis.call('ZADD', key('queued'), job.created_at, job.id)
  redis.call('ZADD', key('due'), due, job.id)
  if job.batch ~= '' then redis.call('ZADD', key('queued_items'), job.created_at, job.id) end
end

local function leave_queue(job)
  redis.call('ZREM', key('queued'), job.id)
  redis.call('ZREM', key('due'), job.id)
  if job.batch ~= '' then redis.call('ZREM', key('queued_items'), job.id) end
  if redis.call('ZREM', queue_key(job, 'queue'), job.member) == 0 then return end
  count_work(job, -1)
  if redis.call('HINCRBY', queue_key(job, 'waiting'), party(job), -1) > 0 then return end
  redis.call('HDEL', queue_key(job, 'waiting'), party(job))
  if redis.call('EXISTS', queue_key(job, 'waiting')) == 0 then
    redis.call('DEL', queue_key(job, 'turns'))
    redis.pcall('HDEL', key('flow', job.fingerprint), 'tokens_' .. job.priority)
    return
  end
  -- Turns of jobs that left unserved must not cost their party later ones.
  local turn = redis.call('ZSCORE', queue_key(job, 'turns'), party(job))
  local served = number_in(key('served', job.fingerprint), job.priority)
  if turn and tonumber(turn) > served then redis.call('ZADD', queue_key(job, 'turns'), served, party(job)) end
end

local function no_lengths(job)
  return string.rep('0 ', tonumber(job.num_rows))
end

-- Back into its place: the turn and the member that it was submitted with.
local function requeue(job, losses)
  check_places(job)
  redis.call('ZREM', key('leases'), job.id)
  leave_worker(job)
  redis.call('HSET', key('job', job.id), 'status', 'queued', 'worker', '', 'losses', losses, 'started_at', '',
    'first_token_at', '', 'num_tokens', 0, 'lengths', no_lengths(job), 'requeued_at', now)
  join_queue(job)
end
