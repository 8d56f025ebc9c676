-- ARGV: namespace, sha256.
return redis.call('GET', key('tokenizer', ARGV[2]))
