local present = redis.pcall('GET', KEYS[1])
if present and present.err then return present end
if present ~= ARGV[1] then return 0 end
local removed = redis.pcall('UNLINK', KEYS[1])
if type(removed) == 'table' then removed = redis.pcall('DEL', KEYS[1]) end
return removed
