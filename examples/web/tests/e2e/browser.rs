//! The forms as a person uses them, in a headless Chromium.

use fantoccini::error::CmdError;
use fantoccini::{Client, Locator};

use crate::chromium::{Browser, follow, press, text};
use crate::service::Service;

#[tokio::test]
async fn a_person_is_throttled_logs_in_clicks_and_logs_out() {
    let service = Service::start(None, &[]).await;
    let browser = Browser::start().await;
    let page = browser.client.clone();
    let url = service.url().to_string();
    // In a task of its own, so that the browser is closed also when an assertion fails in there.
    let visit = tokio::spawn(async move { visit(&page, &url).await });
    let outcome = visit.await;
    browser.close().await;
    outcome
        .expect("the visit ends")
        .expect("the browser does as told");
}

async fn visit(page: &Client, url: &str) -> Result<(), CmdError> {
    page.goto(url).await?;
    follow(page, "Log in").await?;
    assert_eq!(page.title().await?, "Log in");

    let mut wrong = 0;
    fill_in(page, "ann", "guess").await?;
    // More than five tries pass where this takes so long that tries come back meanwhile.
    while page.title().await? == "Log in" {
        assert_eq!(
            text(page, "[role=alert]").await?,
            "The name or the password is wrong."
        );
        let name = page.find(Locator::Id("user")).await?.prop("value").await?;
        assert_eq!(
            name.as_deref(),
            Some("ann"),
            "the name needn't be typed again"
        );
        wrong += 1;
        assert!(wrong < 50, "nobody stops this");
        fill_in(page, "ann", "guess").await?;
    }
    assert!(wrong >= 5, "{wrong}");
    assert_eq!(text(page, "h1").await?, "Too many tries");
    let wait: u64 = text(page, "#wait").await?.parse().expect("seconds");
    assert!((1..=60).contains(&wait), "{wait}");

    follow(page, "Back to the login form").await?;
    fill_in(page, "ben", "blue bird").await?;
    assert_eq!(text(page, "#user").await?, "ben");
    let cookies = page.get_all_cookies().await?;
    assert_eq!(cookies.len(), 1);
    assert_eq!(cookies[0].http_only(), Some(true));

    follow(page, "Counter").await?;
    for clicks in ["1", "2"] {
        press(page, "Click").await?;
        assert_eq!(text(page, "#clicks").await?, clicks);
    }
    page.refresh().await?;
    assert_eq!(text(page, "#clicks").await?, "2", "a reload counts nothing");

    press(page, "Log out ben").await?;
    assert_eq!(page.title().await?, "Log in");
    // The browser keeps none of the pages that were seen.
    page.back().await?;
    assert_eq!(page.title().await?, "Log in");
    assert!(page.get_all_cookies().await?.is_empty());
    Ok(())
}

async fn fill_in(page: &Client, user: &str, password: &str) -> Result<(), CmdError> {
    for (label, typed) in [("Name", user), ("Password", password)] {
        // By the label, as a person finds the field: a field that no label names can't be found.
        let label = format!("//input[@id = //label[. = '{label}']/@for]");
        let field = page.find(Locator::XPath(&label)).await?;
        field.clear().await?;
        field.send_keys(typed).await?;
    }
    press(page, "Log in").await
}
