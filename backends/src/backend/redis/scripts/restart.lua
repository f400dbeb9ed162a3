local value = redis.pcall('GET', KEYS[1])
if not value or value.err then return value end
local restarted = redis.pcall('PEXPIRE', KEYS[1], ARGV[1])
if type(restarted) == 'table' then return restarted end
return value
