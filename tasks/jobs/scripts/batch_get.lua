-- ARGV: namespace, batch, owner. Answer: 'found', the batch, how many items are jobs, how many of these run; 'gone' or
-- 'unknown'.
local id, owner = ARGV[2], ARGV[3]
local batch = find_batch(id)
if not batch then return {redis.call('GET', key('tombstone', id)) == owner and 'gone' or 'unknown'} end
if batch.owner ~= owner then return {'unknown'} end
local jobs, running = redis.call('HVALS', key('batch_live', id)), 0
for _, job in ipairs(jobs) do
  if redis.call('HGET', key('job', job), 'status') == 'running' then running = running + 1 end
end
return {'found', redis.call('HGETALL', key('batch', id)), #jobs, running}
