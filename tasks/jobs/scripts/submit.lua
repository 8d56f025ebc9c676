-- ARGV: namespace, limit of waiting jobs, digest of the request, list and message that wake a worker (or two empty
-- strings), then the record's fields and values.
-- Answer: what happened, then the record or the number that are waiting; of a new job just its times in ms.
local FIELDS = 6
local limit, digest, ring_list, ring = tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5]
local job = {}
for i = FIELDS, #ARGV, 2 do job[ARGV[i]] = ARGV[i + 1] end
local record = key('job', job.id)

check_indexes()
check_queue(job.fingerprint, job.priority)
expect('string', key('sequence'))
if ring_list ~= '' then expect('list', ring_list) end

if redis.call('EXISTS', record) == 1 then return {'repeated', redis.call('HGETALL', record)} end

local promise = key('idempotency', job.idempotency)
local earlier = job.idempotency ~= '' and redis.call('HMGET', promise, 'job', 'digest')
if earlier and earlier[1] and redis.call('EXISTS', key('job', earlier[1])) == 1 then
  if earlier[2] ~= digest then return {'reused'} end
  return {'known', redis.call('HGETALL', key('job', earlier[1]))}
end

local waiting = redis.call('ZCARD', key('queued'))
if waiting >= limit then return {'full', waiting} end

-- An owner's next job takes the turn after its last one: owners alternate, and each keeps its own order.
local turn = tonumber(redis.call('HGET', key('served', job.fingerprint), job.priority) or 0)
local last = redis.call('ZSCORE', queue_key(job, 'turns'), job.owner)
if last then turn = math.max(turn, tonumber(last) + 1) end
redis.call('ZADD', queue_key(job, 'turns'), turn, job.owner)

job.turn = turn
job.member = string.format('%016d:%s', redis.call('INCR', key('sequence')), job.id)
job.created_at = now
job.deadline_at = job.deadline_ms ~= '' and now + tonumber(job.deadline_ms) or ''
redis.call('HSET', record, unpack(ARGV, FIELDS))
redis.call('HSET', record, 'status', 'queued', 'attempt', 0, 'losses', 0, 'worker', '', 'turn', turn,
  'member', job.member, 'created_at', now, 'deadline_at', job.deadline_at, 'lengths', no_lengths(job))
note_schema()
redis.call('ZADD', key('index'), '+inf', job.id)
redis.call('ZADD', key('seen'), 'NX', 0, job.fingerprint)
if job.idempotency ~= '' then redis.call('HSET', promise, 'job', job.id, 'digest', digest) end
join_queue(job)
if ring_list ~= '' then redis.call('LPUSH', ring_list, ring) end
return {'created', now, job.deadline_at}
