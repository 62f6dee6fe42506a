//! The page for people: files that are in the binary, and what a browser may do with them. They hold nothing of the run:
//! the page's script asks for that, as any other program, and shows texts as texts.

/// A file of the page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct File {
    pub(crate) content_type: &'static str,
    pub(crate) text: &'static str,
}

/// What a browser may load and run of the page: its own files. Texts cannot become markup or scripts, whatever the page's
/// script does with them.
///
/// Source: <https://www.w3.org/TR/CSP3/>, <https://www.w3.org/TR/trusted-types/>.
pub(crate) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// The file at this path, if there is one.
pub(crate) fn file(path: &str) -> Option<File> {
    let (content_type, text) = match path {
        "/" => (HTML, include_str!("../page/index.html")),
        "/page/page.css" => (CSS, include_str!("../page/page.css")),
        "/page/icon.svg" => (SVG, include_str!("../page/icon.svg")),
        "/page/main.js" => (SCRIPT, include_str!("../page/main.js")),
        "/page/host.js" => (SCRIPT, include_str!("../page/host.js")),
        "/page/card.js" => (SCRIPT, include_str!("../page/card.js")),
        "/page/plot.js" => (SCRIPT, include_str!("../page/plot.js")),
        "/page/text.js" => (SCRIPT, include_str!("../page/text.js")),
        _ => return None,
    };
    Some(File { content_type, text })
}
