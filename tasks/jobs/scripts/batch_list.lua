-- reads only
-- needs: batch
-- ARGV: namespace, owner, sequence number below which to begin ('+inf': the newest), batches at most.
-- Answer: where to go on ('': nowhere), then for every batch, the newest first: its record, how many of its items run.
-- Batches of a version far from this one are left out.
local owner, below, limit = ARGV[2], ARGV[3], tonumber(ARGV[4])
local owned = key('owned_batches', owner)
expect('zset', owned)
local entries = redis.call('ZREVRANGEBYSCORE', owned, '(' .. below, '-inf', 'WITHSCORES', 'LIMIT', 0, limit + 1)
local answer = {#entries > 2 * limit and entries[2 * limit] or ''}
for i = 1, math.min(#entries, 2 * limit), 2 do
  local batch = find_batch(entries[i]) -- One that is missing has expired a moment ago.
  if batch and not is_foreign(batch) then table.insert(answer, {shown(batch.id)}) end
end
return answer
