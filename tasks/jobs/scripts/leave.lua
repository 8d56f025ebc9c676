-- ARGV: namespace, job, token of the client that leaves. Answer: how many others wait for the job.
local clients = key('clients', ARGV[2])
redis.call('ZREM', clients, ARGV[3])
redis.call('ZREMRANGEBYSCORE', clients, '-inf', now)
return redis.call('ZCARD', clients)
