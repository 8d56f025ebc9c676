-- reads only
-- needs: batch
-- ARGV: namespace, batch, owner. Answer: 'found', the batch, how many of its items run; 'gone' or 'unknown'.
local id, owner = ARGV[2], ARGV[3]
local batch = find_batch(id)
if not batch then return {redis.call('GET', key('tombstone', id)) == owner and 'gone' or 'unknown'} end
if batch.owner ~= owner then return {'unknown'} end
return {'found', shown(id)}
