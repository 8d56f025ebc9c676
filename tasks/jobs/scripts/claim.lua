-- needs: ends
-- ARGV: namespace, worker, fingerprint, nonce, lease in ms. Answer: the record of the job that is now the
-- worker's, or nothing when no job waits.
local worker, fingerprint, nonce, lease_ms = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
-- Stride scheduling: a claim moves its priority on by 24 / weight, for the weights 8 : 3 : 1.
local STRIDE = {high = 3, normal = 8, low = 24}
-- So many jobs of other versions are passed over in each queue.
local MAX_FOREIGN = 100

-- The waiting priority that is least far on. Those without jobs are kept level with it, so that none saves up
-- claims while it is empty; and so are those in `exhausted`.
local function next_priority(exhausted)
  local passes, best = key('passes', fingerprint), nil
  local pass, empty = {}, {}
  for _, priority in ipairs(PRIORITIES) do
    pass[priority] = number_in(passes, priority)
    if exhausted[priority] or redis.call('EXISTS', key('queue', fingerprint, priority)) == 0 then
      table.insert(empty, priority)
    elseif not best or pass[priority] < pass[best] then
      best = priority
    end
  end
  if not best then return nil end
  for _, priority in ipairs(empty) do
    redis.call('HSET', passes, priority, math.max(pass[priority], pass[best]))
  end
  return best, pass[best]
end

-- The first entry that is not the job of another version, and its job, if there is one.
local function first_in(queue)
  for place = 0, MAX_FOREIGN do
    local member = redis.call('ZRANGE', queue, place, place)[1]
    if not member then return nil end
    local job = find_job(string.sub(member, 18))
    if not job or not is_foreign(job) then return member, job end
  end
end

local function take_next()
  local exhausted = {}
  while true do
    local priority, pass = next_priority(exhausted)
    if not priority then return nil end
    check_queue(fingerprint, priority)
    local queue = key('queue', fingerprint, priority)
    local member, job = first_in(queue)
    if not member then
      exhausted[priority] = true
    elseif not job then
      redis.call('ZREM', queue, member) -- Somebody deleted the record by hand.
    elseif past_deadline(job) then
      expire(job)
    else
      number_in(queue_key(job, 'waiting'), party(job))
      redis.call('HSET', key('passes', fingerprint), priority, pass + STRIDE[priority])
      return job
    end
  end
end

local function serve(job)
  local served = number_in(key('served', fingerprint), job.priority)
  served = math.max(served, tonumber(job.turn))
  redis.call('HSET', key('served', fingerprint), job.priority, served)
  -- Turns that are further back than the next job's could be say nothing any more.
  redis.call('ZREMRANGEBYSCORE', queue_key(job, 'turns'), '-inf', served - 1)
  leave_queue(job)
end

check_indexes()
expect('hash', key('passes', fingerprint))
-- The same nonce again: the reply was lost.
local memo = key('nonce', worker, nonce)
local earlier = redis.call('HMGET', memo, 'job', 'attempt')
if earlier[1] and held_by(find_job(earlier[1]), worker, earlier[2]) then
  return redis.call('HGETALL', key('job', earlier[1]))
end

redis.call('HSET', key('worker', worker), 'fingerprint', fingerprint)
heartbeat(worker, fingerprint, lease_ms)
local job = take_next()
if not job then return nil end
serve(job)
local attempt = job.attempt + 1
redis.call('HSET', key('job', job.id), 'worker', worker, 'attempt', attempt)
redis.call('ZADD', key('leases'), now + lease_ms, job.id)
enter_worker(job)
redis.call('HSET', memo, 'job', job.id, 'attempt', attempt)
redis.call('PEXPIRE', memo, 6 * lease_ms)
tally('attempts:' .. job.priority)
return redis.call('HGETALL', key('job', job.id))
