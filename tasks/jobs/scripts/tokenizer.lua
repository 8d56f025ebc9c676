-- reads only
-- ARGV: namespace, sha256.
expect('string', key('tokenizer', ARGV[2]))
return redis.call('GET', key('tokenizer', ARGV[2]))
