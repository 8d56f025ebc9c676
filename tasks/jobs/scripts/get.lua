-- ARGV: namespace, job, owner. Answer: 'found', the record and its 1-based position (0: not waiting);
-- 'gone' or 'unknown'.
local id, owner = ARGV[2], ARGV[3]
local job = find_job(id)
if job and job.owner == owner then
  local rank = redis.call('ZRANK', queue_key(job, 'queue'), job.member)
  return {'found', redis.call('HGETALL', key('job', id)), rank and rank + 1 or 0}
end
if redis.call('GET', key('tombstone', id)) == owner and not job then return {'gone'} end
return {'unknown'}
