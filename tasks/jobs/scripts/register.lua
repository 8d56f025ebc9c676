-- needs: slots
-- ARGV: namespace, worker, slots, precision, lease in ms, fingerprint, card as JSON, sha256 of the tokenizer, the
-- tokenizer.
local worker, slots, precision, lease_ms, fingerprint = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5]), ARGV[6]

local function has_live_worker()
  for _, other in ipairs(redis.call('ZRANGEBYSCORE', key('workers'), now, '+inf')) do
    if redis.call('HGET', key('worker', other), 'fingerprint') == fingerprint then return true end
  end
  return false
end

check_indexes()
expect('hash', key('cards'))
expect('string', key('tokenizer', ARGV[8]))
-- A fleet that comes back counts as registered anew; one more of its workers does not.
if not redis.call('ZSCORE', key('registered'), fingerprint) or not has_live_worker() then
  redis.call('ZADD', key('registered'), now, fingerprint)
end
redis.call('SET', key('tokenizer', ARGV[8]), ARGV[9], 'NX')
redis.call('HSET', key('cards'), fingerprint, ARGV[7])
redis.call('HSET', key('worker', worker), 'fingerprint', fingerprint, 'slots', slots, 'precision', precision)
note_schema()
heartbeat(worker, fingerprint, lease_ms)
note_slots()
