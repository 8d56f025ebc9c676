-- needs: queue, tally, batch
-- The ends of jobs, whoever brings them about.

local KEEP_STREAM_MS = 300000
local MAX_TOLD_BYTES = 16384

-- Those who wait need not look at the record: it comes with the word, unless it is large, since every API process
-- hears of every end.
local function tell_end(id)
  local record = key('job', id)
  local size = redis.call('HSTRLEN', record, 'text') + redis.call('HSTRLEN', record, 'rows')
  local told = size <= MAX_TOLD_BYTES and cjson.encode(redis.call('HGETALL', record)) or ''
  redis.call('PUBLISH', key('ended'), id .. ' ' .. told)
end

-- The one terminal write. After the error's code and detail come further fields and values of the record.
local function end_job(job, status, code, detail, ...)
  local expires = now + tonumber(job.ttl_seconds) * 1000
  leave_queue(job)
  redis.call('ZREM', key('leases'), job.id)
  leave_worker(job)
  redis.call('HSET', key('job', job.id), 'status', status, 'completed_at', now, 'expires_at', expires,
    'last_event', add_event(job, 'done'), 'error_code', code, 'error_detail', detail, ...)
  redis.call('PEXPIREAT', key('job', job.id), expires)
  if job.idempotency ~= '' then redis.call('PEXPIREAT', key('idempotency', job.idempotency), expires) end
  redis.call('SET', key('tombstone', job.id), job.owner, 'PXAT', expires + KEEP_TOMBSTONE_MS)
  redis.call('ZADD', key('index'), expires, job.id)
  redis.pcall('SREM', key('unfinished_jobs', job.owner), job.id)
  tally_end(job, status, code)
  redis.call('PEXPIREAT', key('events', job.id), math.min(expires, now + KEEP_STREAM_MS))
  announce('job', job, 'completed')
  tell_end(job.id)
  if job.batch ~= '' then item_ended(job, status) end
end

-- An end that no worker wrote: nobody may finish the job after it.
local function end_unheld(job, status, code, detail)
  check_places(job)
  end_job(job, status, code, detail, 'worker', '')
end

-- Of a job that has not ended. Its worker hears of it with its next heartbeat.
local function cancel(job)
  if job.worker == '' then
    end_unheld(job, 'canceled', '', '')
    return 'canceled'
  end
  redis.call('HSET', key('job', job.id), 'cancel_requested', 1)
  return 'requested'
end

local function expire(job)
  end_unheld(job, 'expired', 'expired', 'The deadline passed before the job started.')
end
