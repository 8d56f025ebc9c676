-- Behind the prelude in every script: a submit makes a job, and so does the end of a batch's item.

-- A new record, from its fields that never change, and its place in the queue.
local function enter(job)
  local turn = next_turn(job)
  redis.call('ZADD', queue_key(job, 'turns'), turn, job.owner)
  job.status, job.attempt, job.losses, job.worker, job.turn = 'queued', 0, 0, '', turn
  local sequence = redis.call('INCR', key('sequence'))
  job.member = string.format('%016d:%s', sequence, job.id)
  job.created_at, job.lengths = now, no_lengths(job)
  job.batch, job.work = job.batch or '', job.work or ''
  local record = {}
  for name, value in pairs(job) do
    table.insert(record, name)
    table.insert(record, value)
  end
  redis.call('HSET', key('job', job.id), unpack(record))
  note_schema()
  redis.call('ZADD', key('index'), '+inf', job.id)
  redis.call('ZADD', key('owned', job.owner), sequence, job.id)
  redis.call('SADD', key('owners'), job.owner)
  redis.call('ZADD', key('seen'), 'NX', 0, job.fingerprint)
  join_queue(job)
  local came = read_flow(job.fingerprint, 'came_' .. job.priority, 'came_at_' .. job.priority)
  note_flow(job.fingerprint, 'HSET', 'came_' .. job.priority, string.format('%.3f', faded(came[1], came[2]) + 1),
    'came_at_' .. job.priority, now)
end
