-- reads only
-- needs: queue
-- ARGV: namespace, fingerprint, priority, owner. Answer: how many jobs would be served before one that is submitted now
-- in its priority, and the backlog.
local job = {fingerprint = ARGV[2], priority = ARGV[3], owner = ARGV[4]}
return {redis.call('ZCOUNT', queue_key(job, 'queue'), '-inf', next_turn(job)), backlog(job.fingerprint)}
