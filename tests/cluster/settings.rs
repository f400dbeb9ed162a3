//! A cluster is found by any of its nodes, with their logins and rights.

use std::time::Duration;

use futures::future::join_all;
use reinhardt_backends::{Backend, ErrorKind, RedisBackend};
use reinhardt_backends_tests::{Cluster, Proxy};

use super::{PATIENCE, builder};

/// Writes and reads keys of many slots.
pub(crate) async fn works(backend: &RedisBackend) {
    for index in 0..40 {
        let key = format!("works:{index}");
        backend.set(&key, index, None).await.unwrap();
        assert_eq!(backend.get::<u32>(&key).await.unwrap(), Some(index));
    }
}

#[tokio::test]
async fn a_plain_url_of_any_node_is_enough() {
    let cluster = Cluster::shared();
    for node in 0..cluster.count() {
        let backend = builder(&cluster.url(node))
            .namespace("any")
            .build()
            .await
            .unwrap();
        works(&backend).await;
        let nodes = backend.status().nodes;
        assert_eq!(nodes.len(), 3, "{nodes:?}");
        assert!(
            nodes
                .iter()
                .all(|node| node.mode.as_deref() == Some("cluster"))
        );
        assert!(backend.status().is_connected());
    }
}

#[tokio::test]
async fn whoever_connects_lazily_finds_the_cluster_too() {
    let cluster = Cluster::shared();
    for node in [0, 4] {
        let lazy = || {
            builder(&cluster.url(node))
                .namespace("lazy")
                .build_lazy()
                .unwrap()
        };
        assert!(!lazy().status().is_connected());
        works(&lazy()).await;
        let keys = ["a", "b", "c", "d", "e"];
        assert_eq!(lazy().get_many::<u8>(&keys).await.unwrap(), [None; 5]);
        assert_eq!(lazy().delete_many(&keys).await.unwrap(), 0);
        let entries = keys.map(|key| (key, 1));
        lazy().set_many(&entries, None).await.unwrap();
        lazy().ping().await.unwrap();
        assert_eq!(lazy().clear_prefix("").await.unwrap(), 45);
    }
}

#[tokio::test]
async fn a_url_names_several_nodes_of_which_some_may_be_down() {
    let cluster = Cluster::shared();
    let url = format!("redis-cluster://127.0.0.1:1,{}", cluster.address(2));
    let backend = builder(&url).namespace("several").build().await.unwrap();
    works(&backend).await;
    let none = "redis-cluster://127.0.0.1:1,127.0.0.1:2";
    let error = builder(none).build().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("127.0.0.1:"), "{error}");
}

#[tokio::test]
async fn the_login_holds_for_every_node() {
    let cluster = Cluster::of_primaries(3, &[]);
    for node in 0..3 {
        cluster.command(node, "ACL SETUSER app on >pa55 ~* +@all");
    }
    let url = cluster.url(1).replace("://", "://app:pa55@");
    works(&builder(&url).client_name("shop").build().await.unwrap()).await;
    for node in 0..3 {
        let clients = cluster.command(node, "CLIENT LIST");
        assert!(
            clients.contains("user=app") && clients.contains("name=shop"),
            "{clients}"
        );
    }
    let wrong = builder(&cluster.url(1).replace("://", "://app:wrong@"))
        .build()
        .await;
    assert_eq!(wrong.unwrap_err().kind(), ErrorKind::Denied);
}

/// Neither RESP3 nor what kind of server it is: then the URL must say it.
#[tokio::test]
async fn nodes_that_do_not_say_what_they_are_are_a_cluster_where_the_url_says_so() {
    let unknown = ["HELLO", "INFO"].map(|command| ["--rename-command", command, ""]);
    let cluster = Cluster::of_primaries(2, unknown.as_flattened());
    let backend = builder(&cluster.url_of_all()).build().await.unwrap();
    works(&backend).await;
    let keys: Vec<String> = (0..40).map(|index| format!("works:{index}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let all = backend.get_many::<u32>(&keys).await.unwrap();
    assert!(all.into_iter().eq((0..40).map(Some)));
    assert_eq!(backend.delete_many(&keys).await.unwrap(), 40);
    // By a plain URL the cluster is one server, until that server says where a key is.
    let plain = builder(&cluster.url(0)).build().await.unwrap();
    let results = join_all(keys.iter().map(|key| plain.set(key, 1, None))).await;
    let errors: Vec<_> = results.into_iter().filter_map(Result::err).collect();
    assert!(!errors.is_empty());
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
        assert!(error.to_string().contains("redis-cluster://"), "{error}");
    }
}

/// As behind a managed endpoint: a node that tells no host has the host by which it was reached.
#[tokio::test]
async fn a_node_that_tells_no_host_is_where_it_was_asked() {
    let cluster = Cluster::of_primaries(3, &[]);
    for node in 0..cluster.count() {
        let setting = "CONFIG SET cluster-preferred-endpoint-type unknown-endpoint";
        if cluster.command(node, setting).starts_with("-ERR") {
            // Servers before 7.0 always tell one.
            return;
        }
    }
    let url = cluster.url(0).replace("127.0.0.1", "localhost");
    let backend = builder(&url).build().await.unwrap();
    works(&backend).await;
    let slot = cluster.slot_of("reinhardt:works:0");
    let to = (cluster.owner_of(slot) + 1) % 3;
    cluster.move_slot(slot, to);
    works(&backend).await;
    assert!(backend.status().redirections > 0);
    let nodes = backend.status().nodes;
    let mut addresses = nodes.iter().map(|node| &node.address);
    assert!(addresses.all(|address| address.starts_with("localhost:")));
}

/// The answer to an increment is lost on the way from an announced address.
#[tokio::test]
async fn an_increment_whose_answer_is_lost_is_not_counted_twice() {
    let cluster = Cluster::of_primaries(2, &[]);
    let proxies = [0, 1].map(|node| Proxy::start(cluster.port(node)));
    if !cluster.announce(&proxies.each_ref().map(Proxy::port)) {
        return;
    }
    let deadline = std::time::Instant::now() + PATIENCE;
    let backend = builder(&cluster.url(0)).build().await.unwrap();
    for index in 0..6 {
        let key = format!("hits:{index}");
        // Both nodes are connected to, and know the script.
        for other in 0..8 {
            let other = format!("other:{other}");
            backend.increment(&other, None).await.unwrap();
        }
        proxies.iter().for_each(Proxy::hold_answers);
        let counting = {
            let (backend, key) = (backend.clone(), key.clone());
            tokio::spawn(async move { backend.increment(&key, None).await })
        };
        while !proxies.iter().any(Proxy::holds_answers) {
            assert!(std::time::Instant::now() < deadline);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        proxies.iter().for_each(Proxy::cut);
        proxies.iter().for_each(Proxy::release);
        let error = counting.await.unwrap().unwrap_err();
        assert!(error.outcome_unknown(), "{error}");
        assert_eq!(backend.get::<u64>(&key).await.unwrap(), Some(1));
    }
}

#[tokio::test]
async fn whoever_only_pings_finds_a_node() {
    let cluster = Cluster::shared();
    let backend = cluster.connect().await;
    backend.ping().await.unwrap();
    backend.close().await;
    assert_eq!(
        backend.ping().await.unwrap_err().kind(),
        ErrorKind::Unavailable
    );
}

/// The rights that the documentation names are enough, also while a slot is open.
#[tokio::test]
async fn a_user_with_the_documented_rights_uses_a_cluster() {
    let page = include_str!("../../backends/docs/redis.md");
    let user = page
        .lines()
        .find(|line| line.starts_with("ACL SETUSER app"));
    let more = page
        .lines()
        .find_map(|line| line.split("`+cluster|slots").nth(1));
    let more = more.unwrap().split('`').next().unwrap();
    let user = format!("{} +cluster|slots{more}", user.unwrap());
    let cluster = Cluster::of_primaries(2, &[]);
    for node in 0..2 {
        assert_eq!(cluster.command(node, &user), "");
    }
    let url = cluster.url(0).replace("://", "://app:secret@");
    let backend = builder(&url).build().await.unwrap();
    works(&backend).await;
    let slot = cluster.slot_of("{t}");
    let to = 1 - cluster.owner_of(slot);
    backend.set("{t}:1", 1, None).await.unwrap();
    cluster.begin_move(slot, to);
    assert_eq!(cluster.move_keys(slot, to, 10), 1);
    assert_eq!(backend.get::<u8>("{t}:1").await.unwrap(), Some(1));
    assert_eq!(backend.increment("{t}:2", None).await.unwrap(), 1);
    cluster.finish_move(slot, to);
    assert_eq!(backend.clear_prefix("").await.unwrap(), 42);
}

#[tokio::test]
async fn a_program_starts_while_a_primary_is_down() {
    let cluster = Cluster::of_primaries(3, &[]);
    cluster.kill(1);
    let backend = builder(&cluster.url_of_all()).build().await.unwrap();
    let key = (0..).map(|index| format!("k{index}")).find(|key| {
        let slot = cluster.slot_of(&format!("reinhardt:{key}"));
        cluster.running_owner_of(slot) == Some(0)
    });
    backend.set(&key.unwrap(), 1, None).await.unwrap();
}
