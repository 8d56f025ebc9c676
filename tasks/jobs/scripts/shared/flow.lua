-- What estimates are made of: how much waits for each model, how fast it comes and goes.

-- What is measured of a model's queue fades with this time constant, and is forgotten after an hour.
local FADE_MS = 20000
local KEEP_FLOW_MS = 3600000
-- What a worker has claimed and not begun after so long has found no room in its engine.
local STARTS_WITHIN_MS = 1000

-- What estimates are made of, for each model: the tokens that its queues hold at most, how many jobs came lately, and
-- what its workers get done while jobs wait. It may be a little wrong: the reaper counts again. No job depends on it:
-- where somebody has overwritten it nothing is estimated, and that is all.
local function note_flow(fingerprint, command, ...)
  redis.pcall(command, key('flow', fingerprint), ...)
  redis.call('PEXPIRE', key('flow', fingerprint), KEEP_FLOW_MS)
end

-- As text for Python, which reads other forms than Lua; empty where it is none.
local function measured(value)
  local number = tonumber(value)
  return number and math.abs(number) < math.huge and string.format('%.17g', number) or ''
end

local function read_flow(fingerprint, ...)
  local values = redis.pcall('HMGET', key('flow', fingerprint), ...)
  return values.err and {} or values
end

local function queue_length(fingerprint, priority)
  local length = redis.pcall('ZCARD', key('queue', fingerprint, priority))
  return type(length) == 'number' and length or 0
end

local function count_work(job, sign)
  if job.work == '' then return end -- Recorded by a version that did not say.
  note_flow(job.fingerprint, 'HINCRBY', 'tokens_' .. job.priority, string.format('%d', sign * job.work))
end

local function faded(value, at)
  return (tonumber(value) or 0) * math.exp(((tonumber(at) or now) - now) / FADE_MS)
end

-- When it ends that has this much to generate in `rows` texts at once, `pace` tokens in a ms each.
local function likely_end(tokens, rows, pace)
  if not tokens or not pace or pace <= 0 then return '+inf' end
  return string.format('%.0f', now + tokens / rows / pace)
end

-- The jobs that workers have, by when they will end, and those of them that do not run yet, by when they were claimed.
-- What holds of the flow holds of these.
local function enter_worker(job)
  local pace = tonumber(read_flow(job.fingerprint, 'row_pace')[1])
  local ends = likely_end(tonumber(job.work), tonumber(job.num_rows), pace)
  redis.pcall('ZADD', key('ends', job.fingerprint), ends, job.id)
  redis.pcall('ZADD', key('claimed', job.fingerprint), now, job.id)
  note_flow(job.fingerprint, 'HINCRBY', 'rows', job.num_rows)
end

local function leave_worker(job)
  if job.worker == '' then return end
  redis.pcall('ZREM', key('claimed', job.fingerprint), job.id)
  if redis.pcall('ZREM', key('ends', job.fingerprint), job.id) == 1 then
    note_flow(job.fingerprint, 'HINCRBY', 'rows', '-' .. job.num_rows)
  end
end

local function any_waits(fingerprint)
  for _, priority in ipairs(PRIORITIES) do
    if redis.call('EXISTS', key('queue', fingerprint, priority)) == 1 then return true end
  end
  return false
end

-- For tasks/jobs/backlog.py: the time, since when the oldest job of any model waits, when the first held job will end, how
-- many workers have claimed and found no room for, the lengths of the three queues, what is noted of the flow.
local function backlog(fingerprint)
  local first = redis.pcall('ZRANGE', key('ends', fingerprint), 0, 0, 'WITHSCORES')
  local stuck = redis.pcall('ZCOUNT', key('claimed', fingerprint), '-inf', now - STARTS_WITHIN_MS)
  local oldest = redis.call('ZRANGE', key('queued'), 0, 0, 'WITHSCORES')[2]
  local answer = {now, measured(oldest), measured(not first.err and first[2]), type(stuck) == 'number' and stuck or 0}
  local fields = {'slots', 'rows', 'row_pace', 'told_at', 'run_tokens', 'run_ms'}
  for _, priority in ipairs(PRIORITIES) do
    table.insert(answer, queue_length(fingerprint, priority))
    for _, name in ipairs({'tokens_', 'came_', 'came_at_'}) do table.insert(fields, name .. priority) end
  end
  local flow = read_flow(fingerprint, unpack(fields))
  for i = 1, #fields do table.insert(answer, measured(flow[i])) end
  return answer
end
