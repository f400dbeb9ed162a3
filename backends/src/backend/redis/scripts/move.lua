local call = redis.pcall
local present = call('GET', KEYS[1])
if present and present.err then return present end
if present ~= ARGV[1] then return 0 end
local value, life, replaced, set = ARGV[2], ARGV[3], nil, nil
if ARGV[4] then
  replaced = call('GET', KEYS[2])
  if replaced and replaced.err then return replaced end
  if replaced ~= ARGV[4] then return 0 end
  -- What is replaced keeps its life until the old entry is gone, so that it can be put back with it.
  set = call('SET', KEYS[2], value, 'KEEPTTL')
elseif life == 'KEEP' or life == 'NEVER' then set = call('SET', KEYS[2], value, 'NX')
else set = call('SET', KEYS[2], value, 'PX', life, 'NX') end
if not set then return 0 end
if set.err then return set end
local removed = call('UNLINK', KEYS[1])
if type(removed) == 'table' then removed = call('DEL', KEYS[1]) end
if type(removed) == 'table' then
  -- Undone by the command that this user may run on this key for certain. An end that has passed
  -- removes.
  if replaced then call('SET', KEYS[2], replaced, 'KEEPTTL')
  else call('SET', KEYS[2], '', 'PXAT', '1') end
  return removed
end
if replaced and life ~= 'KEEP' then
  if life == 'NEVER' then set = call('SET', KEYS[2], value)
  else set = call('SET', KEYS[2], value, 'PX', life) end
  if set.err then return set end
end
return removed
