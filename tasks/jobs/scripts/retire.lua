-- needs: slots
-- ARGV: namespace, worker.
redis.call('ZREM', key('workers'), ARGV[2])
redis.call('DEL', key('worker', ARGV[2]))
note_slots()
