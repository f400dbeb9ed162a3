local present = redis.pcall('GET', KEYS[1])
if present and present.err then return present end
if present ~= ARGV[1] then return 0 end
return redis.pcall('UNLINK', KEYS[1])
