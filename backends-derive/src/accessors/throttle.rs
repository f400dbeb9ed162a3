//! The accessors of throttles.

use quote::quote;

use super::accessor::{Accessor, Output};
use super::docs::{CALL, CHECK, CHECK_N, DELETE_MANY};
use super::receiver::Receiver;
use super::scan::scans;
use crate::ast::Limits;
use crate::scope::Scope;

pub(super) fn throttle_accessors(scope: &Scope<'_>, limits: &Limits) -> Vec<Accessor> {
    let library = &scope.library;
    let decision = || Output::Result(quote!(#library::throttle::Decision));
    let throttle = format!("the throttle under `{}`", scope.pattern());
    let quota = limits.in_words();
    let all = "What is refused uses nothing up.";
    let mut accessors = vec![
        Accessor::new(
            "check",
            "check",
            decision(),
            CHECK,
            format!(
                "Uses up one of {throttle} ({quota}) if there is room, and says whether there was.\n\n{all}"
            ),
        ),
        Accessor::new(
                "check_n",
                "check_n",
                decision(),
                CHECK_N,
                format!(
                    "Uses up `cost` of {throttle} ({quota}) if there is room for all of it, and says whether there was.\n\n{all}"
                ),
            )
        .with_parameter("cost", quote!(::core::primitive::u32)),
        Accessor::new(
            "peek",
            "peek",
            decision(),
            CHECK,
            format!("Says whether {throttle} ({quota}) has room for one, and uses nothing up."),
        ),
        Accessor::new(
                "peek_n",
                "peek_n",
                decision(),
                CHECK_N,
                format!(
                    "Says whether {throttle} ({quota}) has room for `cost`, and uses nothing up."
                ),
            )
        .with_parameter("cost", quote!(::core::primitive::u32)),
        Accessor::new(
            "reset",
            "delete",
            Output::Result(quote!(::core::primitive::bool)),
            CALL,
            format!("Forgets what was used up of {throttle}, and says whether there was anything."),
        ),
        Accessor {
            receiver: Receiver::Structs,
            ..Accessor::new(
                "reset_many",
                "delete_many",
                Output::Result(quote!(::core::primitive::u64)),
                DELETE_MANY,
                "Forgets what was used up of the throttles, and returns of how many there was anything.",
            )
        },
    ];
    let whole = scans(scope, "scan", &quote!(()), &quote!(|_, _| ()));
    accessors.extend(
        whole
            .into_iter()
            .filter(|it| !matches!(it.name, "scan" | "scan_under")),
    );
    accessors
}
