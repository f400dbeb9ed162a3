use reinhardt_backends::keyspace::KeySegment;

#[derive(KeySegment)]
#[keyspace("user")]
struct UserId(u64);

#[derive(KeySegment)]
#[keyspace]
struct OrderId(u64);

#[derive(KeySegment)]
#[keyspace = "display"]
struct ShopId(u64);

#[derive(KeySegment)]
#[keyspace(display = true)]
struct RealmId(u64);

fn main() {}
