//! Which path is which endpoint, and what every request passes before it gets there. Depends on `api` and `page`.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};

use super::api::{automatic1111, openai, own, owner};
use super::page;
use super::refusal::Refusal;
use super::site::Site;

/// All endpoints.
pub fn routes(site: Arc<Site>) -> Router {
    Router::new()
        .merge(page::routes())
        .merge(own_routes())
        .merge(owner_routes())
        .merge(openai_routes())
        .merge(automatic1111_routes())
        .fallback(|| async { Refusal::not_found("there is nothing at this address") })
        .method_not_allowed_fallback(|method: Method| async move {
            let message = format!("{method} is not possible here");
            Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
        })
        .layer(from_fn_with_state(site.clone(), guard))
        .with_state(site)
}

fn own_routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/p/{code}", get(own::take_home))
        .route("/api/v1", get(own::about))
        .route("/api/v1/openapi.json", get(own::openapi))
        .route("/api/v1/jobs", post(own::submit).get(owner::jobs))
        .route("/api/v1/jobs/{id}", get(own::job).delete(own::cancel))
        .route("/api/v1/jobs/{id}/events", get(own::events))
        .route("/api/v1/jobs/{id}/pictures/{index}", get(own::picture))
        .route("/api/v1/jobs/{id}/pictures/{index}/show", post(own::show))
        .route("/api/v1/jobs/{id}/pictures/{index}/keep", post(own::keep))
        .route("/api/v1/gallery", get(own::gallery))
        .route("/api/v1/gallery/{number}", get(own::kept))
        .route("/api/v1/panel", get(own::panel))
        .route("/api/v1/panel/picture", get(own::panel_picture))
        .route("/api/v1/frames", get(own::frames))
        .route("/api/v1/frames/jobs", post(own::submit_to_frames))
}

fn owner_routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/api/v1/owner", get(owner::health))
        .route("/api/v1/owner/settings", get(owner::settings).put(owner::set_settings))
        .route("/api/v1/owner/log", get(owner::log))
        .route("/api/v1/owner/press", post(owner::press))
        .route("/api/v1/owner/power", post(owner::power))
        .route("/api/v1/owner/gallery/{number}", put(owner::mark).delete(owner::remove))
        .route("/api/v1/owner/gallery/{number}/hide", post(owner::hide))
        .route("/api/v1/owner/gallery/{number}/show", post(owner::show))
        .route("/api/v1/owner/gallery/{number}/print", post(owner::print))
}

fn openai_routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/v1/models", get(openai::models))
        .route("/v1/models/{model}", get(openai::model))
        .route("/v1/images/generations", post(openai::generations))
        .route("/v1/images/edits", post(openai::edits))
}

fn automatic1111_routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/sdapi/v1/txt2img", post(automatic1111::txt2img))
        .route("/sdapi/v1/img2img", post(automatic1111::img2img))
        .route("/sdapi/v1/progress", get(automatic1111::progress))
        .route("/sdapi/v1/interrupt", post(automatic1111::interrupt))
        .route("/sdapi/v1/skip", post(automatic1111::interrupt))
        .route("/sdapi/v1/options", get(automatic1111::options).post(automatic1111::set_options))
        .route("/sdapi/v1/sd-models", get(automatic1111::models))
        .route("/sdapi/v1/samplers", get(automatic1111::samplers))
        .route("/sdapi/v1/schedulers", get(automatic1111::schedulers))
        .route("/sdapi/v1/prompt-styles", get(automatic1111::prompt_styles))
        .route("/sdapi/v1/memory", get(automatic1111::memory))
        .route("/sdapi/v1/png-info", post(automatic1111::png_info))
}

/// What a browser may do with a page of this server: nothing of others.
const PAGE_RULES: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Checks where a request goes and comes from, and says what browsers may do with the answer.
async fn guard(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let mut response = match site.access.check_request(request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    };
    let rules = [
        (header::CONTENT_SECURITY_POLICY, PAGE_RULES),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in rules {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::super::api::own::OPENAPI;

    /// Paths and methods of this file's rows.
    fn routed() -> BTreeSet<(String, String)> {
        let rows = include_str!("routes.rs")
            .lines()
            .filter_map(|line| line.trim().strip_prefix(".route(\""));
        let mut routed = BTreeSet::new();
        for row in rows {
            let (path, handlers) = row.split_once('"').unwrap();
            for method in ["get", "post", "put", "delete"] {
                if handlers.contains(&format!(" {method}(")) || handlers.contains(&format!(".{method}(")) {
                    routed.insert((path.to_owned(), method.to_owned()));
                }
            }
        }
        routed
    }

    #[test]
    fn the_description_has_exactly_our_own_endpoints() {
        let described: Value = serde_json::from_str(OPENAPI).unwrap();
        let paths = described["paths"].as_object().unwrap();
        let methods = |(path, methods): (&String, &Value)| {
            let methods = methods.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
            methods.into_iter().map(|method| (path.clone(), method)).collect::<Vec<_>>()
        };
        let described: BTreeSet<(String, String)> = paths.iter().flat_map(methods).collect();
        let own: BTreeSet<_> = routed()
            .into_iter()
            .filter(|(path, _)| path.starts_with("/api/") || path.starts_with("/p/"))
            .collect();
        assert!(own.len() > 20);
        assert_eq!(described, own);
    }

    #[test]
    fn a_wish_has_the_fields_that_are_described() {
        use super::super::wish::Wish;
        let described: Value = serde_json::from_str(OPENAPI).unwrap();
        let fields = described["components"]["schemas"]["Wish"]["properties"].as_object().unwrap();
        // Serde's own list, from the error for a field that is none of them.
        let error = serde_json::from_str::<Wish>("{\"qqq\":1}").unwrap_err().to_string();
        let known: BTreeSet<&str> = error.split('`').skip(3).step_by(2).collect();
        assert_eq!(fields.keys().map(String::as_str).collect::<BTreeSet<_>>(), known);
    }
}
