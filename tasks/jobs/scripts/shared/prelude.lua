-- What all scripts share; it is put in front of each of them, behind a line that says which SCHEMA this version has. A
-- script, or a part of one, that says `needs` gets the parts that it names behind this one; see tasks/jobs/script.py.
-- ARGV[1] is the namespace.
--
-- A job is in exactly one place: waiting (its queue, `queued`, `due`), held (`leases`) or ended (none of them).
-- Times are milliseconds by the clock of the server.

local KEEP_TOMBSTONE_MS = 86400000
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

local CONTROL = {
  'id', 'status', 'worker', 'attempt', 'losses', 'owner', 'fingerprint', 'priority', 'member', 'turn', 'ttl_seconds',
  'created_at', 'deadline_at', 'cancel_requested', 'started_at', 'first_token_at', 'idempotency', 'num_rows', 'lengths',
  'schema', 'num_tokens', 'work', 'batch', 'batch_index', 'followed', 'mode', 'webhook_host', 'webhook_events',
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

local function has_ended(job)
  return job.status ~= 'queued' and job.status ~= 'running'
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

-- For the metrics. No job depends on it: where somebody has overwritten the counters, nothing is counted.
local COUNTERS = key('counters')

local function tally(series, by)
  redis.pcall('HINCRBY', COUNTERS, series, by and string.format('%d', math.floor(by)) or '1')
end

-- How it was submitted; a version that did not say knew no streams.
local function mode_of(job)
  return job.mode ~= '' and job.mode or 'async'
end

local function heartbeat(worker, fingerprint, lease_ms)
  redis.call('ZADD', key('workers'), now + lease_ms, worker)
  redis.call('ZADD', key('seen'), now, fingerprint)
end
