-- needs: ends, milestones
-- ARGV: namespace, worker, job, attempt, status, error code, error detail, tokens, ms since its start, ms since its
-- first token, rows as JSON, then the text of every row. Answer: 1, or 0 when the attempt is not the current one.
local worker, id, attempt, status = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local num_tokens, started_ms, first_token_ms, rows = ARGV[8], tonumber(ARGV[9]), tonumber(ARGV[10]), ARGV[11]
local FIRST_TEXT = 12

-- The text after its first `count` code points.
local function after(text, count)
  local at = 1
  for _ = 1, count do
    at = at + #string.match(text, '^[%z\1-\127\192-\255][\128-\191]*', at)
  end
  return string.sub(text, at)
end

-- Readers of the stream get the whole result, whatever the last step carried.
local function complete_stream(job)
  local row = 0
  for length in string.gmatch(job.lengths, '%d+') do
    local text = ARGV[FIRST_TEXT + row]
    local rest = text and after(text, tonumber(length)) or ''
    if rest ~= '' then add_event(job, 'token', 'index', row, 'text', rest) end
    row = row + 1
  end
end

-- All that it might have generated is done, also what it did not need.
local function note_done(job)
  local work = tonumber(job.work) or tonumber(num_tokens)
  note_flow(job.fingerprint, 'HINCRBY', 'done', string.format('%d', work - (tonumber(job.num_tokens) or 0)))
end

check_indexes()
local job = find_job(id)
if not held_by(job, worker, attempt) then
  -- Its own write again (the reply was lost) is no stale one; other ends leave no worker in the record.
  if job and job.worker == worker and job.attempt == attempt and job.status == status then return 1 end
  expect('hash', key('counters'))
  number_in(key('counters'), 'stale_finishes')
  redis.call('HINCRBY', key('counters'), 'stale_finishes', 1)
  return 0
end
check_places(job)
if status == 'succeeded' then mark_started(job, started_ms) end
if tonumber(num_tokens) > 0 then mark_first_token(job, first_token_ms) end
complete_stream(job)
note_done(job)
job.num_tokens = num_tokens
end_job(job, status, ARGV[6], ARGV[7], 'num_tokens', num_tokens, 'rows', rows)
return 1
