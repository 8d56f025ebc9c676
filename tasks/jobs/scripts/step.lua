-- needs: flow, milestones
-- ARGV: namespace, worker, lease in ms, then for every held job: id, attempt, started (0 or 1), tokens so far,
-- ms since its start, ms since its first token, number of pieces, and for every piece: row, index of its first code
-- point, its code points, its text.
-- Answer: whether the worker is registered (0: the server has lost what it told), and for every job its verdict, the
-- stored lengths of its rows, joined by spaces, and whether somebody reads its events.
local worker, lease_ms = ARGV[2], tonumber(ARGV[3])
local MAX_GAP_MS = 2000
local MIN_RUN_MS = 200
-- Of one command: Lua has room for some thousands.
local MAX_ARGUMENTS = 1000
local at, done = 3, 0
-- Tokens behind the first, and the time that they took, over all rows; what the jobs still have to do.
local made, made_ms, left = 0, 0, {}

local function take()
  at = at + 1
  return ARGV[at]
end

local function take_pieces()
  local pieces = {}
  for i = 1, tonumber(take()) do
    pieces[i] = {row = tonumber(take()), from = tonumber(take()), size = tonumber(take()), text = take()}
  end
  return pieces
end

local function lengths_of(job)
  local lengths = {}
  for length in string.gmatch(job.lengths, '%d+') do table.insert(lengths, tonumber(length)) end
  return lengths
end

local function append(job, pieces)
  local lengths = lengths_of(job)
  for _, piece in ipairs(pieces) do
    if lengths[piece.row + 1] == piece.from then
      add_event(job, 'token', 'index', piece.row, 'text', piece.text)
      lengths[piece.row + 1] = piece.from + piece.size
    end
  end
  return table.concat(lengths, ' ')
end

local function verdict_of(job)
  if job.cancel_requested == '1' then return 'cancel' end
  return past_deadline(job) and 'deadline' or 'ok'
end

local function note_progress(job, num_tokens)
  local rows = tonumber(job.num_rows)
  if job.first_token_at ~= '' and num_tokens > rows then
    made, made_ms = made + num_tokens - rows, made_ms + rows * (now - job.first_token_at)
  end
  -- Of one that has not started nobody knows when it will end.
  local work = job.started_at ~= '' and tonumber(job.work)
  table.insert(left, {id = job.id, rows = rows, tokens = work and work - num_tokens})
end

local function step(id, attempt, started, num_tokens, started_ms, first_token_ms, pieces)
  local job = find_job(id)
  if not held_by(job, worker, attempt) then
    tally('stale_steps')
    return {'lost', '', 0}
  end
  redis.call('ZADD', key('leases'), now + lease_ms, id)
  if started then mark_started(job, started_ms) end
  if num_tokens > 0 then mark_first_token(job, first_token_ms) end
  local lengths = append(job, pieces)
  redis.call('HSET', key('job', id), 'num_tokens', num_tokens, 'lengths', lengths)
  done = done + num_tokens - (tonumber(job.num_tokens) or 0)
  note_progress(job, num_tokens)
  return {verdict_of(job), lengths, tonumber(job.followed) or 0}
end

-- The pace of the model counts only where jobs wait or all slots are taken from one word of a worker to the next: one
-- that is not busy is slower than it can be, and silence is an outage. That of a text is known also where few run.
local function note_pace(fingerprint)
  local told = read_flow(fingerprint, 'told_at', 'waiting', 'done', 'run_tokens', 'run_ms', 'row_pace', 'rows', 'slots')
  local rows, slots = tonumber(told[7]) or 0, tonumber(told[8]) or 0
  local waiting = slots > 0 and rows >= slots or any_waits(fingerprint)
  local gap = now - (tonumber(told[1]) or now)
  local run_tokens, run_ms = faded(told[4], told[1]), faded(told[5], told[1])
  if told[2] == '1' and waiting and gap <= MAX_GAP_MS then
    run_tokens, run_ms = run_tokens + done + (tonumber(told[3]) or 0), run_ms + gap
  end
  note_flow(fingerprint, 'HSET', 'told_at', now, 'waiting', waiting and 1 or 0, 'done', 0,
    'run_tokens', string.format('%.3f', run_tokens), 'run_ms', string.format('%.3f', run_ms))
  local row_pace = tonumber(told[6])
  if made_ms >= MIN_RUN_MS then
    row_pace = made / made_ms
    note_flow(fingerprint, 'HSET', 'row_pace', string.format('%.6f', row_pace))
  end
  local ends = {}
  for i, job in ipairs(left) do
    table.insert(ends, likely_end(job.tokens, job.rows, row_pace))
    table.insert(ends, job.id)
    if #ends == MAX_ARGUMENTS or i == #left then
      redis.pcall('ZADD', key('ends', fingerprint), unpack(ends))
      ends = {}
    end
  end
end

check_indexes()
expect('hash', key('cards'))
-- A claim brings back the worker's name, but only `register` its slots and its model's card.
local told = redis.call('HMGET', key('worker', worker), 'fingerprint', 'slots')
local fingerprint, slots = told[1], told[2]
if fingerprint then heartbeat(worker, fingerprint, lease_ms) end
local registered = slots and redis.call('HEXISTS', key('cards'), fingerprint) == 1
  and redis.call('ZSCORE', key('registered'), fingerprint)
local answers = {}
while at < #ARGV do
  local id, attempt, started, num_tokens = take(), take(), take() == '1', tonumber(take())
  local started_ms, first_token_ms = tonumber(take()), tonumber(take())
  table.insert(answers, step(id, attempt, started, num_tokens, started_ms, first_token_ms, take_pieces()))
end
if fingerprint and #answers > 0 then note_pace(fingerprint) end
return {registered and 1 or 0, answers}
