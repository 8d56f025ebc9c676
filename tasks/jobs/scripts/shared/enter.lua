-- needs: queue, webhooks
-- A new job: a submit makes one, and so does the end of a batch's item.

-- That nothing `enter` writes to is of another type, or no number; `check_indexes` looks at the rest.
local function check_entry(job)
  check_places(job)
  expect('set', key('owners'))
  expect('zset', key('owned', job.owner))
  expect('set', key('unfinished_jobs', job.owner))
  expect('string', key('sequence'))
  whole(redis.call('GET', key('sequence')), key('sequence'))
end

-- A new record, from its fields that never change, and its place in the queue. The record comes first: it cannot be
-- written where the fields are none, and then nothing is.
local function enter(job)
  local sequence = redis.call('INCR', key('sequence'))
  job.status, job.attempt, job.losses, job.worker, job.turn = 'queued', 0, 0, '', next_turn(job)
  job.member = string.format('%016d:%s', sequence, job.id)
  job.created_at, job.lengths = now, no_lengths(job)
  job.batch, job.work = job.batch or '', job.work or ''
  if job.batch ~= '' then job.mode = 'batch' end
  local record = {}
  for name, value in pairs(job) do
    table.insert(record, name)
    table.insert(record, value)
  end
  redis.call('HSET', key('job', job.id), unpack(record))
  redis.call('ZADD', queue_key(job, 'turns'), job.turn, party(job))
  note_schema()
  redis.call('ZADD', key('index'), '+inf', job.id)
  redis.call('ZADD', key('owned', job.owner), sequence, job.id)
  redis.call('SADD', key('owners'), job.owner)
  -- Where nobody has a key there is no limit; and batches have their own.
  if job.owner ~= '' and job.batch == '' then redis.call('SADD', key('unfinished_jobs', job.owner), job.id) end
  redis.call('ZADD', key('seen'), 'NX', 0, job.fingerprint)
  join_queue(job)
  owe(job)
  tally(table.concat({'submitted', mode_of(job), job.priority}, ':'))
  tally('prompt_tokens', job.num_prompt_tokens)
  local came = read_flow(job.fingerprint, 'came_' .. job.priority, 'came_at_' .. job.priority)
  note_flow(job.fingerprint, 'HSET', 'came_' .. job.priority, string.format('%.3f', faded(came[1], came[2]) + 1),
    'came_at_' .. job.priority, now)
end

-- How many of the owner's jobs have not ended. Where that is too many, some are looked at: a version that knew no limit
-- may have ended them.
local function count_unfinished(owner, limit)
  local jobs = key('unfinished_jobs', owner)
  if redis.call('SCARD', jobs) >= limit then
    for _, id in ipairs(redis.call('SRANDMEMBER', jobs, 100)) do
      local job = find_job(id)
      if not job or has_ended(job) then redis.call('SREM', jobs, id) end
    end
  end
  return redis.call('SCARD', jobs)
end
