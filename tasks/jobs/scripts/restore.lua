-- needs: queue
-- ARGV: namespace, lease in ms, how many jobs to pass over. Answer: how many were looked at, and put back. The records
-- say where their jobs belong, and `index` which jobs have not ended.
local BATCH = 500
local lease_ms, offset = tonumber(ARGV[2]), tonumber(ARGV[3])

local function is_waiting(job)
  return redis.call('ZSCORE', queue_key(job, 'queue'), job.member) and redis.call('ZSCORE', key('queued'), job.id)
    and redis.call('ZSCORE', key('due'), job.id)
end

-- Whether it had to be put back.
local function put_back(job)
  if is_foreign(job) then return false end -- Where it belongs its own version knows.
  redis.call('ZADD', key('seen'), 'NX', 0, job.fingerprint)
  if job.worker ~= '' then
    -- From its worker nothing is taken that it still renews.
    return redis.call('ZADD', key('leases'), 'NX', now + lease_ms, job.id) == 1
  end
  check_places(job)
  if is_waiting(job) then return false end
  join_queue(job)
  return true
end

check_indexes()
local ids, restored = redis.call('ZRANGEBYSCORE', key('index'), '+inf', '+inf', 'LIMIT', offset, BATCH), 0
for _, id in ipairs(ids) do
  local job = find_job(id)
  if job then
    if put_back(job) then restored = restored + 1 end
  else -- Somebody has deleted the record by hand.
    for _, name in ipairs({'due', 'index', 'leases', 'queued'}) do redis.call('ZREM', key(name), id) end
  end
end
return {#ids, restored}
