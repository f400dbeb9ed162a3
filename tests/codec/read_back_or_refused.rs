//! A value that is written is read back as it was, or the write is refused.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::net::IpAddr;
use std::time::Duration;

use reinhardt_backends::ErrorKind;
use reinhardt_backends::codec::{Cbor, Codec, Decode, Encode, Json, Postcard};
use serde::de::DeserializeOwned;
use serde::ser::SerializeSeq;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::json;

/// Says whether a value was stored. Checks that a stored value comes back.
#[track_caller]
fn is_stored<C: Codec, T>(value: &T) -> bool
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    let name = C::NAME;
    match C::encode_as::<T, T>(value) {
        Ok(bytes) => {
            let read = C::decode::<T>(&bytes);
            assert_eq!(
                read.as_ref().ok(),
                Some(value),
                "{name}: {read:?}, {bytes:02x?}"
            );
            true
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Encode, "{name}: {error}");
            false
        }
    }
}

#[track_caller]
fn is_stored_by_all<T>(value: T) -> [bool; 3]
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    [
        is_stored::<Cbor, T>(&value),
        is_stored::<Json, T>(&value),
        is_stored::<Postcard, T>(&value),
    ]
}

const ALL: [bool; 3] = [true; 3];

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct List {
    next: Option<Box<List>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Newtypes(Vec<Newtypes>);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Chain {
    Unit,
    Newtype(Box<Chain>),
    Tuple(u8, Box<Chain>),
    Struct { next: Box<Chain> },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Tagged {
    Leaf,
    Node { below: Vec<Tagged> },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Leaf(u8),
    Node(Vec<Untagged>),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct MapOfMaps(BTreeMap<String, MapOfMaps>);

fn nested<T>(levels: usize, leaf: T, wrap: impl Fn(T) -> T) -> T {
    (0..levels).fold(leaf, |value, _| wrap(value))
}

/// The readers' own limits, and no lower ones.
#[track_caller]
fn goes_as_deep_as_its_reader<C: Codec, T>(leaf: T, wrap: impl Fn(T) -> T + Copy, deepest: usize)
where
    T: Serialize + DeserializeOwned + Clone + PartialEq + Debug,
{
    for levels in 0..deepest + 300 {
        let stored = is_stored::<C, T>(&nested(levels, leaf.clone(), wrap));
        assert_eq!(stored, levels <= deepest, "{}: {levels} levels", C::NAME);
    }
}

#[test]
fn a_list_goes_as_deep_as_its_reader() {
    let leaf = List { next: None };
    let wrap = |next| List {
        next: Some(Box::new(next)),
    };
    goes_as_deep_as_its_reader::<Cbor, _>(leaf.clone(), wrap, 255);
    goes_as_deep_as_its_reader::<Json, _>(leaf.clone(), wrap, 126);
    goes_as_deep_as_its_reader::<Postcard, _>(leaf, wrap, 63);
}

#[test]
fn a_newtype_goes_as_deep_as_its_reader() {
    let leaf = Newtypes(Vec::new());
    let wrap = |below| Newtypes(vec![below]);
    goes_as_deep_as_its_reader::<Cbor, _>(leaf.clone(), wrap, 255);
    goes_as_deep_as_its_reader::<Json, _>(leaf.clone(), wrap, 126);
    goes_as_deep_as_its_reader::<Postcard, _>(leaf, wrap, 63);
}

#[test]
fn an_enum_goes_as_deep_as_its_reader() {
    let newtype = |chain| Chain::Newtype(Box::new(chain));
    let tuple = |chain| Chain::Tuple(1, Box::new(chain));
    let fields = |next| Chain::Struct {
        next: Box::new(next),
    };
    goes_as_deep_as_its_reader::<Cbor, _>(Chain::Unit, newtype, 255);
    goes_as_deep_as_its_reader::<Cbor, _>(Chain::Unit, tuple, 127);
    goes_as_deep_as_its_reader::<Cbor, _>(Chain::Unit, fields, 127);
    goes_as_deep_as_its_reader::<Json, _>(Chain::Unit, newtype, 127);
    goes_as_deep_as_its_reader::<Json, _>(Chain::Unit, tuple, 63);
    goes_as_deep_as_its_reader::<Json, _>(Chain::Unit, fields, 63);
    goes_as_deep_as_its_reader::<Postcard, _>(Chain::Unit, newtype, 127);
    goes_as_deep_as_its_reader::<Postcard, _>(Chain::Unit, tuple, 63);
    goes_as_deep_as_its_reader::<Postcard, _>(Chain::Unit, fields, 63);
}

#[test]
fn what_is_read_from_buffers_goes_as_deep_as_its_reader() {
    let node = |below| Tagged::Node { below: vec![below] };
    goes_as_deep_as_its_reader::<Cbor, _>(Tagged::Leaf, node, 127);
    goes_as_deep_as_its_reader::<Json, _>(Tagged::Leaf, node, 63);
    let node = |below| Untagged::Node(vec![below]);
    goes_as_deep_as_its_reader::<Cbor, _>(Untagged::Leaf(1), node, 256);
    goes_as_deep_as_its_reader::<Json, _>(Untagged::Leaf(1), node, 127);
}

#[test]
fn values_of_any_form_go_as_deep_as_their_reader() {
    let wrap = |value| serde_json::Value::Array(vec![value]);
    goes_as_deep_as_its_reader::<Cbor, _>(json!(1), wrap, 256);
    goes_as_deep_as_its_reader::<Json, _>(json!(1), wrap, 127);
    let wrap = |value| ciborium::Value::Tag(6, Box::new(value));
    goes_as_deep_as_its_reader::<Cbor, _>(ciborium::Value::Null, wrap, 256);
    let wrap = |map| MapOfMaps([("below".to_string(), map)].into());
    let leaf = MapOfMaps(BTreeMap::new());
    goes_as_deep_as_its_reader::<Cbor, _>(leaf.clone(), wrap, 255);
    goes_as_deep_as_its_reader::<Json, _>(leaf.clone(), wrap, 126);
    goes_as_deep_as_its_reader::<Postcard, _>(leaf, wrap, 63);
}

#[test]
fn a_refusal_says_why_and_shows_no_value() {
    let deep = nested(500, json!("topsecret"), |value| json!([value]));
    for error in [
        Cbor::encode(&deep).unwrap_err(),
        <Json as Codec>::encode(&deep).unwrap_err(),
    ] {
        assert!(error.to_string().contains("nested too deep"), "{error}");
        assert!(!format!("{error:?}").contains("topsecret"));
    }
    let error = <Json as Codec>::encode(&f64::NAN).unwrap_err();
    assert!(error.to_string().contains("NaN"), "{error}");
    let text = format!("{}{}", "[".repeat(128), "]".repeat(128));
    let error = Json::<serde_json::Value>::decode(text.as_bytes()).unwrap_err();
    assert!(error.to_string().contains("nested too deep"), "{error}");
}

#[test]
fn json_has_no_word_for_nan_and_the_infinities() {
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let narrow = number as f32;
        let refused = |encoded: reinhardt_backends::BackendResult<Vec<u8>>| {
            assert_eq!(encoded.unwrap_err().kind(), ErrorKind::Encode);
        };
        refused(Json(number).encode());
        refused(Json(narrow).encode());
        refused(Json(vec![Some(number)]).encode());
        refused(Json(HashMap::from([("a", number)])).encode());
        assert!(Cbor::encode(&number).is_ok() && Cbor::encode(&narrow).is_ok());
        assert!(<Postcard as Codec>::encode(&number).is_ok());
    }
    assert!(is_stored::<Json, _>(&(f64::MAX, f32::MIN, -0.0)));
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum ByKind {
    Numbers {
        by_number: BTreeMap<u64, String>,
    },
    Signed {
        by_number: BTreeMap<i32, u8>,
    },
    Truths {
        by_truth: BTreeMap<bool, u8>,
    },
    Texts {
        by_text: BTreeMap<String, u8>,
    },
    Both {
        by_text: BTreeMap<String, u8>,
        by_number: BTreeMap<u64, u8>,
    },
    Free(BTreeMap<String, String>),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Scores {
    game: u64,
    #[serde(flatten)]
    by_player: BTreeMap<u8, String>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Balances {
    owner: String,
    #[serde(flatten)]
    by_share: BTreeMap<i64, i64>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Form {
    user: String,
    #[serde(flatten)]
    rest: BTreeMap<String, String>,
}

fn map<K: Ord, V>(key: K, value: V) -> BTreeMap<K, V> {
    BTreeMap::from([(key, value)])
}

#[test]
fn numbers_as_keys_come_back_from_tagged_enums_and_flattened_maps() {
    let won = || "won".to_string();
    let by_number = map(42, won());
    assert!(is_stored::<Json, _>(&ByKind::Numbers {
        by_number: by_number.clone()
    }));
    assert!(is_stored::<Cbor, _>(&ByKind::Numbers { by_number }));
    let by_number = BTreeMap::from([(-7, 1), (0, 2), (i32::MAX, 3)]);
    assert!(is_stored::<Json, _>(&ByKind::Signed { by_number }));
    assert!(is_stored::<Json, _>(&ByKind::Truths {
        by_truth: map(true, 1)
    }));
    let by_player = BTreeMap::from([(42, won()), (0, won())]);
    assert!(is_stored::<Cbor, _>(&Scores {
        game: 1,
        by_player: by_player.clone()
    }));
    assert!(is_stored::<Json, _>(&Scores { game: 1, by_player }));
    let by_share = BTreeMap::from([(i64::MIN, 1), (-1, 2), (3, 3)]);
    let balances = Balances {
        owner: "ann".to_string(),
        by_share,
    };
    assert!(is_stored::<Cbor, _>(&balances) && is_stored::<Json, _>(&balances));
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Outer {
    id: u8,
    #[serde(flatten)]
    inner: Balances,
}

/// serde's buffers give some keys back and not others.
#[test]
fn keys_that_buffers_do_not_give_back_are_refused() {
    let outer = |share| Outer {
        id: 1,
        inner: Balances {
            owner: "ann".to_string(),
            by_share: map(share, 1),
        },
    };
    for codec in [is_stored::<Cbor, Outer>, is_stored::<Json, Outer>] {
        assert!(codec(&outer(7)));
        codec(&outer(-7));
    }
}

#[test]
fn tags_come_back_from_all_but_buffers() {
    use ciborium::Value;
    use ciborium::tag::Required;
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Link {
        next: Option<Box<Required<Link, 6>>>,
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Any {
        Value(Value),
    }
    let bytes = Value::Tag(64, Box::new(Value::Bytes(b"hi".to_vec())));
    assert!(is_stored::<Cbor, _>(&bytes));
    let numbers = Value::Array(vec![Value::from(1), Value::from(2)]);
    assert!(is_stored::<Cbor, _>(&numbers) && is_stored::<Cbor, _>(&Some(numbers)));
    assert!(is_stored::<Cbor, _>(&Any::Value(Value::from("text"))));
    assert!(!is_stored::<Cbor, _>(&Any::Value(Value::Tag(
        5,
        Box::new(Value::from(1))
    ))));
    let end = || Link { next: None };
    let wrap = |link| Link {
        next: Some(Box::new(Required(link))),
    };
    goes_as_deep_as_its_reader::<Cbor, _>(end(), wrap, 127);
    for levels in 0..200 {
        let link = nested(levels, end(), wrap);
        is_stored::<Json, _>(&link);
        is_stored::<Postcard, _>(&link);
    }
}

#[test]
fn text_that_reads_like_a_number_stays_text() {
    for key in ["42", "-1", "true", "1.5", "", "007"] {
        let by_text = map(key.to_string(), 1);
        assert!(is_stored::<Json, _>(&ByKind::Texts {
            by_text: by_text.clone()
        }));
        assert!(is_stored::<Json, _>(&by_text));
        let rest = map(key.to_string(), "x".to_string());
        assert!(is_stored::<Json, _>(&Form {
            user: "ann".to_string(),
            rest
        }));
    }
    // Neither all text nor all numbers: JSON can't tell them apart.
    let both = ByKind::Both {
        by_text: map("1".to_string(), 1),
        by_number: map(1, 1),
    };
    assert!(!is_stored::<Json, _>(&both) && is_stored::<Cbor, _>(&both));
}

#[test]
fn numbers_are_the_names_of_no_struct_and_no_variant() {
    #[derive(Debug, Deserialize)]
    #[allow(dead_code)]
    struct Point {
        x: u8,
        y: u8,
    }
    let numbers = Cbor::encode(&BTreeMap::from([(0, 1u8), (1, 2)])).unwrap();
    assert!(Cbor::decode::<Point>(&numbers).is_err());
    assert!(Cbor::decode::<Vec<Point>>(&Cbor::encode(&vec![map(0, 1)]).unwrap()).is_err());
    assert!(Cbor::decode::<Chain>(&Cbor::encode(&map(0, 1)).unwrap()).is_err());
    let by_variant = Cbor::encode(&map(map(0, 1), 1)).unwrap();
    assert!(Cbor::decode::<BTreeMap<String, u8>>(&by_variant).is_err());
    let text = br#"{"0":1,"1":2}"#;
    assert!(Json::<Point>::decode(text).is_err());
    assert!(Json::<Chain>::decode(br#"{"0":null}"#).is_err());
}

/// A client names a field of the struct among those that are kept as they come.
#[test]
fn a_flattened_key_that_is_a_field_is_refused() {
    let form = |key: &str| Form {
        user: "ann".to_string(),
        rest: map(key.to_string(), "x".to_string()),
    };
    assert!(is_stored::<Json, _>(&form("age")) && is_stored::<Cbor, _>(&form("age")));
    assert!(!is_stored::<Json, _>(&form("user")) && !is_stored::<Cbor, _>(&form("user")));
    assert!(Cbor::encode(&form("user")).is_err() && Json(form("user")).encode().is_err());
    let free = |key: &str| ByKind::Free(map(key.to_string(), "x".to_string()));
    assert!(is_stored::<Json, _>(&free("age")) && is_stored::<Cbor, _>(&free("age")));
    assert!(!is_stored::<Json, _>(&free("kind")) && !is_stored::<Cbor, _>(&free("kind")));
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Amount {
    Exact(u128),
    Text(String),
}

#[test]
fn wide_integers_come_back_unless_serde_has_no_room_for_them() {
    assert_eq!(is_stored_by_all(u128::MAX), ALL);
    assert_eq!(is_stored_by_all((i128::MIN, 5u128)), ALL);
    assert!(!is_stored::<Cbor, _>(&Amount::Exact(5)) && !is_stored::<Json, _>(&Amount::Exact(5)));
    assert!(is_stored::<Cbor, _>(&Amount::Text("5".to_string())));
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Plan {
    Free,
    #[serde(skip)]
    #[allow(dead_code)]
    Internal,
    Team,
    Company,
    Trial,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Account {
    plans: Vec<Plan>,
    by_name: HashMap<String, Plan>,
}

#[test]
fn a_variant_that_would_come_back_as_another_is_refused() {
    assert_eq!(is_stored_by_all(Plan::Free), ALL);
    for plan in [Plan::Team, Plan::Company, Plan::Trial] {
        assert_eq!(is_stored_by_all(plan), [true, true, false]);
        assert_eq!(
            Postcard(plan).encode().unwrap_err().kind(),
            ErrorKind::Encode
        );
        let plans = vec![Plan::Free, plan];
        let by_name = HashMap::from([("a".to_string(), plan)]);
        assert_eq!(
            is_stored_by_all(Account { plans, by_name }),
            [true, true, false]
        );
    }
    let by_name = ('a'..'j').map(|name| (name.to_string(), Plan::Free));
    let account = Account {
        plans: vec![Plan::Free; 3],
        by_name: by_name.collect(),
    };
    assert_eq!(is_stored_by_all(account), ALL);
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Named {
    #[serde(alias = "zero", alias = "nought")]
    Aliased,
    #[serde(rename = "1")]
    Renamed,
    #[serde(rename(serialize = "out", deserialize = "in"))]
    Directed(u8),
    #[serde(rename_all = "camelCase")]
    Fields {
        #[serde(alias = "other_field")]
        one_field: u8,
    },
    #[serde(other)]
    Other,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Directed {
    #[serde(rename(serialize = "out", deserialize = "in"))]
    field: u8,
    #[serde(alias = "name")]
    aliased: String,
    #[serde(skip)]
    left_out: u8,
    #[serde(with = "serde_bytes")]
    bytes: Vec<u8>,
}

mod a {
    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    pub(super) enum Same {
        One,
        Two,
    }
}

mod b {
    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    pub(super) enum Same {
        Two,
        One,
    }
}

mod good {
    #[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
    pub(super) enum Plan {
        Free,
        Team,
        Company,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Role {
    #[serde(alias = "Guest")]
    Visitor,
    #[serde(skip)]
    #[allow(dead_code)]
    Bot,
    Member,
    Admin,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Login {
    #[serde(alias = "login")]
    name: String,
    #[serde(skip_serializing, default)]
    password: String,
    #[serde(skip_deserializing)]
    display: String,
}

fn is_zero(number: &u8) -> bool {
    *number == 0
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Pair(#[serde(skip_serializing_if = "is_zero")] u8, u8);

/// An alias puts the names back in step, another type of the same name is all right, a name is read
/// in the place of another, bytes that are read shifted look the same.
#[test]
fn nothing_hides_another_value_from_postcard() {
    assert!(is_stored::<Postcard, _>(&Role::Visitor));
    assert!(!is_stored::<Postcard, _>(&Role::Member) && !is_stored::<Postcard, _>(&Role::Admin));
    let both = |one, other| is_stored::<Postcard, (good::Plan, Plan)>(&(one, other));
    assert!(both(good::Plan::Team, Plan::Free) && both(good::Plan::Company, Plan::Free));
    assert!(!both(good::Plan::Free, Plan::Team) && !both(good::Plan::Free, Plan::Company));
    let text = |text: &str| text.to_string();
    let login = |display| Login {
        name: text("ann"),
        password: text(""),
        display: text(display),
    };
    assert!(!is_stored::<Postcard, _>(&login("Ann")));
    assert!(is_stored::<Postcard, _>(&(Pair(1, 5), vec![2u8, 8, 9])));
    assert!(!is_stored::<Postcard, _>(&(Pair(0, 5), vec![2u8, 8, 9])));
}

#[test]
fn one_place_that_comes_back_says_nothing_of_another() {
    let lists = |lists: Vec<Vec<Untagged>>| is_stored::<Postcard, _>(&lists);
    assert!(lists(vec![]) && lists(vec![vec![]]) && !lists(vec![vec![Untagged::Leaf(1)]]));
    type Two = (Option<u8>, Option<Untagged>);
    assert!(is_stored::<Postcard, Two>(&(Some(1), None)));
    assert!(!is_stored::<Postcard, Two>(&(
        None,
        Some(Untagged::Leaf(1))
    )));
}

fn lower<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    String::deserialize(deserializer).map(|text| text.to_lowercase())
}

/// A value that comes back otherwise on purpose, beside an enum whose names are not in step.
#[test]
fn a_field_that_is_read_otherwise_on_purpose_is_stored() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct User {
        kind: Named,
        #[serde(deserialize_with = "lower")]
        email: String,
    }
    for kind in [Named::Aliased, Named::Renamed, Named::Other] {
        let user = User {
            kind,
            email: "Ann@X".to_string(),
        };
        let bytes = Postcard::encode_as::<User, User>(&user).unwrap();
        let read = <Postcard as Codec>::decode::<User>(&bytes).unwrap();
        assert_eq!((read.kind, read.email.as_str()), (user.kind, "ann@x"));
    }
}

/// No enum that comes back as it was is refused, whatever its names are.
#[test]
fn postcard_takes_every_enum_that_comes_back() {
    let named = [
        Named::Aliased,
        Named::Renamed,
        Named::Directed(1),
        Named::Fields { one_field: 1 },
        Named::Other,
    ];
    for named in named {
        for _ in 0..2 {
            assert!(is_stored::<Postcard, _>(&named), "{named:?}");
        }
    }
    let directed = || Directed {
        field: 1,
        aliased: "a".to_string(),
        left_out: 0,
        bytes: vec![1, 2],
    };
    assert!(is_stored::<Postcard, _>(&vec![directed(), directed()]));
    assert!(is_stored::<Postcard, _>(&(
        (a::Same::One, b::Same::One),
        (a::Same::Two, b::Same::Two)
    )));
    let result: Result<u8, String> = Err("x".to_string());
    let std_types = (
        result,
        IpAddr::from([127, 0, 0, 1]),
        Duration::from_millis(1500),
        'a'..='z',
    );
    assert!(is_stored::<Postcard, _>(&std_types));
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Settings {
    user: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    theme: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    language: Option<String>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Tags {
    id: u8,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
}

/// The attribute is often written without the `default` that reading it takes.
#[test]
fn a_field_that_is_left_out_and_has_no_default_is_refused() {
    let tags = |tags: &[&str]| Tags {
        id: 1,
        tags: tags.iter().map(ToString::to_string).collect(),
    };
    assert_eq!(is_stored_by_all(tags(&["a"])), ALL);
    assert_eq!(is_stored_by_all(tags(&[])), [false; 3]);
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct WriteOnly {
    #[serde(skip_deserializing)]
    seen: u8,
    id: u8,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct ReadOnly {
    #[serde(skip_serializing, default)]
    seen: u8,
    id: u8,
}

#[test]
fn fields_that_are_left_out_are_refused_where_they_are_found_by_position() {
    let settings = |theme: Option<&str>, language: Option<&str>| Settings {
        user: 1,
        theme: theme.map(str::to_string),
        language: language.map(str::to_string),
    };
    assert_eq!(is_stored_by_all(settings(Some("a"), Some("b"))), ALL);
    assert_eq!(
        is_stored_by_all(settings(None, Some("b"))),
        [true, true, false]
    );
    assert_eq!(is_stored_by_all(settings(None, None)), [true, true, false]);
    assert!(!is_stored::<Postcard, _>(&WriteOnly { seen: 0, id: 7 }));
    assert!(!is_stored::<Postcard, _>(&vec![ReadOnly {
        seen: 0,
        id: 7
    }]));
}

#[test]
fn postcard_refuses_what_asks_the_format_what_comes() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Holder {
        one: Option<Untagged>,
        many: Vec<Untagged>,
        by_name: BTreeMap<String, Untagged>,
    }
    let empty = || Holder {
        one: None,
        many: Vec::new(),
        by_name: BTreeMap::new(),
    };
    assert!(is_stored::<Postcard, _>(&empty()));
    let leaf = || Untagged::Leaf(1);
    assert!(!is_stored::<Postcard, _>(&Holder {
        one: Some(leaf()),
        ..empty()
    }));
    assert!(!is_stored::<Postcard, _>(&Holder {
        many: vec![leaf()],
        ..empty()
    }));
    let by_name = map("a".to_string(), leaf());
    assert!(!is_stored::<Postcard, _>(&Holder { by_name, ..empty() }));
    assert!(!is_stored::<Postcard, _>(&leaf()));
    assert!(!is_stored::<Postcard, _>(&json!("text")));
}

#[test]
fn elements_that_take_no_bytes_are_bounded_on_both_sides() {
    assert_eq!(is_stored_by_all(vec![(); 1000]), ALL);
    assert_eq!(is_stored_by_all(vec![(); 100_000]), [true, true, false]);
    assert_eq!(is_stored_by_all(vec![vec![0u8; 1000]; 200]), ALL);
    assert_eq!(is_stored_by_all(vec![[(); 3]; 1000]), ALL);
    let huge = [&b"\xfc"[..], &[0xff; 9], &[0x01]].concat();
    assert!(Postcard::<Vec<()>>::decode(&huge).is_err());
    assert!(Postcard::<Vec<[(); 4]>>::decode(&huge).is_err());
    assert!(Postcard::<BTreeMap<(), ()>>::decode(&huge).is_err());
    let nested = [&b"\xfc\xff\xff\x03"[..], &[0xff; 9], &[0x01]].concat();
    assert!(Postcard::<Vec<Vec<()>>>::decode(&nested).is_err());
}

/// Declares one element more, or fewer, than it writes.
struct Miscounted(usize);

impl Serialize for Miscounted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut elements = serializer.serialize_seq(Some(self.0))?;
        elements.serialize_element(&"a")?;
        elements.serialize_element(&"b")?;
        elements.end()
    }
}

#[test]
fn a_length_that_is_declared_wrongly_is_refused_where_it_is_written() {
    for declared in [1, 3] {
        assert!(Cbor::encode(&Miscounted(declared)).is_err());
        assert!(<Postcard as Codec>::encode(&Miscounted(declared)).is_err());
        assert_eq!(
            Json(Miscounted(declared)).encode().unwrap(),
            br#"["a","b"]"#
        );
    }
    assert!(Cbor::encode(&Miscounted(2)).is_ok());
}

thread_local! {
    static READ: Cell<usize> = const { Cell::new(0) };
}

#[derive(Debug, PartialEq, Serialize)]
struct Counts(u8);

impl<'de> Deserialize<'de> for Counts {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        READ.set(READ.get() + 1);
        u8::deserialize(deserializer).map(Self)
    }
}

/// A type is looked at when it first writes a form of itself, and not each time.
#[test]
fn a_form_is_read_back_once() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Holder {
        counts: Vec<Counts>,
        chain: Option<Chain>,
    }
    let value = Holder {
        counts: vec![Counts(1), Counts(2)],
        chain: Some(Chain::Unit),
    };
    let encode = || Postcard::encode_as::<Holder, Holder>(&value).unwrap();
    encode();
    let after_the_first = READ.get();
    assert!(after_the_first >= 2);
    (0..10).for_each(|_| drop(encode()));
    assert_eq!(READ.get(), after_the_first);
}
