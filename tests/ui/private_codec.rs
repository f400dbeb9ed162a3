pub mod sessions {
    use reinhardt_backends::codec::{Codec, Json};
    use reinhardt_backends::{BackendResult, Keyspace};
    use serde::de::DeserializeOwned;
    use serde::{Deserialize, Serialize};

    struct Lines;

    impl Codec for Lines {
        const NAME: &'static str = "lines";

        fn encode<T: Serialize + ?Sized>(value: &T) -> BackendResult<Vec<u8>> {
            Json::encode(value)
        }

        fn decode<T: DeserializeOwned>(bytes: &[u8]) -> BackendResult<T> {
            Json::decode(bytes)
        }
    }

    #[derive(Serialize, Deserialize, Keyspace)]
    #[keyspace(prefix = "session", ttl = "30m", codec = Lines)]
    pub struct Session {
        #[keyspace(key)]
        id: String,
    }
}

fn main() {}
