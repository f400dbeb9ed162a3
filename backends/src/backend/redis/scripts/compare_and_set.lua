local present = redis.pcall('GET', KEYS[1])
if present and present.err then return present end
if present ~= ARGV[1] then return 0 end
local set
if ARGV[3] == 'KEEP' then set = redis.pcall('SET', KEYS[1], ARGV[2], 'KEEPTTL')
elseif ARGV[3] == 'NEVER' then set = redis.pcall('SET', KEYS[1], ARGV[2])
else set = redis.pcall('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
if set.err then return set end
return 1
