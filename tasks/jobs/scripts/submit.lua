-- ARGV: namespace, limit of waiting jobs, digest of the request, list and message that wake a worker (or two empty
-- strings), then the record's fields and values.
-- Answer: what happened; then of a new job its times in ms and its place, of an older one its record and its place, of
-- a full queue the number that are waiting and the backlog.
local FIELDS = 6
local limit, digest, ring_list, ring = tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5]
local job = {}
for i = FIELDS, #ARGV, 2 do job[ARGV[i]] = ARGV[i + 1] end
local record = key('job', job.id)

check_indexes()
check_queue(job.fingerprint, job.priority)
expect('string', key('sequence'))
expect('zset', key('owned', job.owner))
expect('set', key('owners'))
if ring_list ~= '' then expect('list', ring_list) end

if redis.call('EXISTS', record) == 1 then
  return {'repeated', redis.call('HGETALL', record), place(find_job(job.id))}
end

local promise = key('idempotency', job.idempotency)
local earlier = job.idempotency ~= '' and redis.call('HMGET', promise, 'job', 'digest')
if earlier and earlier[1] and redis.call('EXISTS', key('job', earlier[1])) == 1 then
  if earlier[2] ~= digest then return {'reused'} end
  return {'known', redis.call('HGETALL', key('job', earlier[1])), place(find_job(earlier[1]))}
end

local waiting = redis.call('ZCARD', key('queued'))
if waiting >= limit then return {'full', waiting, backlog(job.fingerprint)} end

local turn = next_turn(job)
redis.call('ZADD', queue_key(job, 'turns'), turn, job.owner)

job.turn = turn
local sequence = redis.call('INCR', key('sequence'))
job.member = string.format('%016d:%s', sequence, job.id)
job.created_at = now
job.deadline_at = job.deadline_ms ~= '' and now + tonumber(job.deadline_ms) or ''
redis.call('HSET', record, unpack(ARGV, FIELDS))
redis.call('HSET', record, 'status', 'queued', 'attempt', 0, 'losses', 0, 'worker', '', 'turn', turn,
  'member', job.member, 'created_at', now, 'deadline_at', job.deadline_at, 'lengths', no_lengths(job))
note_schema()
redis.call('ZADD', key('index'), '+inf', job.id)
redis.call('ZADD', key('owned', job.owner), sequence, job.id)
redis.call('SADD', key('owners'), job.owner)
redis.call('ZADD', key('seen'), 'NX', 0, job.fingerprint)
if job.idempotency ~= '' then redis.call('HSET', promise, 'job', job.id, 'digest', digest) end
join_queue(job)
local came = read_flow(job.fingerprint, 'came_' .. job.priority, 'came_at_' .. job.priority)
note_flow(job.fingerprint, 'HSET', 'came_' .. job.priority, string.format('%.3f', faded(came[1], came[2]) + 1),
  'came_at_' .. job.priority, now)
if ring_list ~= '' then redis.call('LPUSH', ring_list, ring) end
return {'created', now, job.deadline_at, place(job)}
