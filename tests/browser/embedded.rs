//! The page in a frame of another site: it trains, shows what it is asked for, and says that its storage is apart.

use browser_tests::browser::Page;

use crate::QUICK;

/// Puts a page of this server, seen as another site, into a frame of the page on show.
const FRAME: &str = r#"
const frame = document.createElement("iframe");
frame.src = arguments[0];
frame.width = 900;
frame.height = 700;
document.body.replaceChildren(frame);
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_course_page_shows_the_parts_it_asks_for() {
    let page = Page::open("/", &[]).await;
    // any page of another site: one that answers 404 has no policy that forbids frames
    let here = page.driver.current_url().await.expect("an address");
    let port = here.port().expect("a port");
    page.driver.goto(format!("http://localhost:{port}/course/")).await.expect("a page");
    let link = format!("http://127.0.0.1:{port}/?{QUICK}&steps=3&autostart=1&embed=1&hide=settings,probes");
    page.driver.execute(FRAME, vec![link.into()]).await.expect("the script runs");
    page.driver.enter_frame(0).await.expect("the frame is there");
    page.wait_for(&["done"]).await;
    assert_eq!(page.losses().await.len(), 3);
    assert!(page.text("apart").await.contains("apart from those of the page itself"));
    let shown = "return ['header', '.more-about', 'footer', '.settings', '[aria-labelledby=part-probes]', '[aria-labelledby=part-task]', '.files']
         .filter((part) => document.querySelector(part).getClientRects().length)";
    assert_eq!(page.script(shown).await, serde_json::json!(["[aria-labelledby=part-task]", ".files"]));
    let query = page.script("return location.search").await;
    assert!(query.as_str().is_some_and(|query| query.contains("embed=1&hide=settings%2Cprobes")), "{query}");

    // on its own the page says nothing of the kind
    page.driver.enter_default_frame().await.expect("the page around it");
    page.goto(&format!("/?{QUICK}")).await;
    page.wait_for(&["ready"]).await;
    assert_eq!(page.text("apart").await, "");
    page.close().await;
}
