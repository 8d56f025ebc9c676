-- needs: webhooks
-- When a job that a worker holds started, and when its first token came.

-- When something of that age happened; clocks that drift must not put it before what came first.
local function moment(age_ms, earliest)
  return math.max(now - age_ms, tonumber(earliest))
end

local function mark_started(job, age_ms)
  if job.started_at ~= '' then return end
  job.started_at = moment(age_ms, job.created_at)
  redis.call('HSET', key('job', job.id), 'status', 'running', 'started_at', job.started_at)
  redis.pcall('ZREM', key('claimed', job.fingerprint), job.id)
  add_event(job, 'started')
  announce('job', job, 'started')
end

local function mark_first_token(job, age_ms)
  if job.first_token_at ~= '' then return end
  job.first_token_at = moment(age_ms, job.started_at ~= '' and job.started_at or job.created_at)
  redis.call('HSET', key('job', job.id), 'first_token_at', job.first_token_at)
end
