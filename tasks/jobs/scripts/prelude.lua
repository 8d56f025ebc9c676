-- What all scripts share; it is put in front of each of them, behind a line that says which SCHEMA this version has.
-- ARGV[1] is the namespace.
--
-- A job is in exactly one place: waiting (its queue, `queued`, `due`), held (`leases`) or ended (none of them).
-- Times are milliseconds by the clock of the server.

local KEEP_STREAM_MS = 300000
local KEEP_TOMBSTONE_MS = 86400000
local MODEL_PATIENCE_MS = 600000
local MAX_TOLD_BYTES = 16384
-- What is measured of a model's queue fades with this time constant, and is forgotten after an hour.
local FADE_MS = 20000
local KEEP_FLOW_MS = 3600000
-- What a worker has claimed and not begun after so long has found no room in its engine.
local STARTS_WITHIN_MS = 1000
local PRIORITIES = {'high', 'normal', 'low'}

local ns = ARGV[1]
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)

local function key(...)
  return ns .. ':' .. table.concat({...}, ':')
end

-- A script that fails half-way leaves what it has written: one that moves jobs first looks whether somebody has put
-- something else into the places that it moves them between. The words are read by tasks/jobs/script.py.
local function expect(kind, name)
  local found = redis.call('TYPE', name).ok
  if found ~= kind and found ~= 'none' then
    error(string.format('WRONGTYPE %s is a %s and should be a %s.', name, found, kind), 0)
  end
end

local function expect_sorted(...)
  -- One command that looks at the types of all: of their intersection with nothing nothing is computed.
  local answer = redis.pcall('ZINTER', select('#', ...) + 1, key('nothing'), ...)
  if not answer.err then return end
  for _, name in ipairs({...}) do expect('zset', name) end
end

local function check_indexes()
  expect_sorted(key('attended'), key('batches'), key('due'), key('index'), key('leases'), key('queued'),
    key('queued_items'), key('registered'), key('schemas'), key('seen'), key('workers'))
end

-- A number of ours, 0 where there is none. A script that counted with anything else would fail half-way as well.
local function whole(value, name)
  if not value then return 0 end
  local number = tonumber(value)
  if number and math.abs(number) < 2 ^ 53 and string.format('%d', number) == value then return number end
  error(string.format('WRONGTYPE %s holds no whole number.', name), 0)
end

local function number_in(name, field)
  return whole(redis.call('HGET', name, field), name)
end

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

local CONTROL = {
  'id', 'status', 'worker', 'attempt', 'losses', 'owner', 'fingerprint', 'priority', 'member', 'turn', 'ttl_seconds',
  'created_at', 'deadline_at', 'cancel_requested', 'started_at', 'first_token_at', 'idempotency', 'num_rows', 'lengths',
  'schema', 'num_tokens', 'work', 'batch', 'batch_index', 'followed', 'mode',
}

local function find_job(id)
  -- A key of another type is no job: one such must not keep the reaper from all others.
  local values = redis.pcall('HMGET', key('job', id), unpack(CONTROL))
  if values.err or not values[1] then return nil end
  local job = {}
  for i, name in ipairs(CONTROL) do job[name] = values[i] or '' end
  return job
end

-- Versions next to each other work with each other's jobs; others leave them as they are.
local function is_foreign(job)
  local schema = tonumber(job.schema)
  return not schema or math.abs(schema - SCHEMA) > 1
end

-- For those that start here later: which versions may have left something.
local function note_schema()
  redis.call('ZADD', key('schemas'), now, SCHEMA)
end

local function held_by(job, worker, attempt)
  return job ~= nil and job.worker == worker and job.attempt == attempt
    and (job.status == 'queued' or job.status == 'running')
end

local function past_deadline(job)
  return job.deadline_at ~= '' and tonumber(job.deadline_at) <= now
end

-- It has expired, and nobody has seen to it yet.
local function is_overdue(job)
  return job.status == 'queued' and job.worker == '' and past_deadline(job) and not is_foreign(job)
end

-- Its id; '' where somebody has overwritten the stream, which must not keep its job from ending.
local function add_event(job, event, ...)
  local id = redis.pcall('XADD', key('events', job.id), '*', 'event', event, 'attempt', job.attempt, ...)
  return type(id) == 'string' and id or ''
end

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

-- For the metrics. No job depends on it: where somebody has overwritten the counters, nothing is counted.
local COUNTERS = key('counters')

local function tally(series, by)
  redis.pcall('HINCRBY', COUNTERS, series, by and string.format('%d', math.floor(by)) or '1')
end

-- How it was submitted; a version that did not say knew no streams.
local function mode_of(job)
  return job.mode ~= '' and job.mode or 'async'
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

-- Those who wait need not look at the record: it comes with the word, unless it is large, since every API process
-- hears of every end.
local function tell_end(id)
  local record = key('job', id)
  local size = redis.call('HSTRLEN', record, 'text') + redis.call('HSTRLEN', record, 'rows')
  local told = size <= MAX_TOLD_BYTES and cjson.encode(redis.call('HGETALL', record)) or ''
  redis.call('PUBLISH', key('ended'), id .. ' ' .. told)
end

local item_ended -- In batch.lua: what the end of a job means for its batch.
local tally_end -- In tally.lua: what is counted of it.

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
  tally_end(job, status, code)
  redis.call('PEXPIREAT', key('events', job.id), math.min(expires, now + KEEP_STREAM_MS))
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

local function has_ended(job)
  return job.status ~= 'queued' and job.status ~= 'running'
end

local function expire(job)
  end_unheld(job, 'expired', 'expired', 'The deadline passed before the job started.')
end

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
end

local function mark_first_token(job, age_ms)
  if job.first_token_at ~= '' then return end
  job.first_token_at = moment(age_ms, job.started_at ~= '' and job.started_at or job.created_at)
  redis.call('HSET', key('job', job.id), 'first_token_at', job.first_token_at)
end

local function heartbeat(worker, fingerprint, lease_ms)
  redis.call('ZADD', key('workers'), now + lease_ms, worker)
  redis.call('ZADD', key('seen'), now, fingerprint)
end
