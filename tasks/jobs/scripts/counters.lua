-- reads only
-- ARGV: namespace. Answer: all counters, as fields and values.
return redis.call('HGETALL', key('counters'))
