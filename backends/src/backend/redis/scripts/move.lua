local present = redis.pcall('GET', KEYS[1])
if present and present.err then return present end
if present ~= ARGV[1] then return 0 end
local when, set = 'NX', nil
if ARGV[4] then
  local replaced = redis.pcall('GET', KEYS[2])
  if replaced and replaced.err then return replaced end
  if replaced ~= ARGV[4] then return 0 end
  when = 'XX'
end
if ARGV[3] == 'KEEP' and ARGV[4] then set = redis.pcall('SET', KEYS[2], ARGV[2], 'KEEPTTL', when)
elseif ARGV[3] == 'KEEP' or ARGV[3] == 'NEVER' then set = redis.pcall('SET', KEYS[2], ARGV[2], when)
else set = redis.pcall('SET', KEYS[2], ARGV[2], 'PX', ARGV[3], when) end
if not set then return 0 end
if set.err then return set end
return redis.pcall('UNLINK', KEYS[1])
