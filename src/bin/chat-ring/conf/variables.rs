//! The variables in a key: which of them nginx refuses, because nothing defines them.
//!
//! Knows nginx's own, of all its modules, and those that a configuration defines. Another module may bring more.

use super::blocks::Directive;
use super::upstream::Module;
use std::collections::BTreeSet;

/// Of both modules, without the prefix that they share in some builds.
const BOTH: &str = "binary_remote_addr remote_addr remote_port server_addr server_port bytes_sent status connection \
    nginx_version hostname pid msec time_iso8601 time_local upstream_addr upstream_bytes_sent upstream_bytes_received \
    upstream_connect_time proxy_protocol_addr proxy_protocol_port proxy_protocol_server_addr \
    proxy_protocol_server_port realip_remote_addr realip_remote_port limit_conn_status ssl_protocol ssl_cipher \
    ssl_ciphers ssl_curve ssl_curves ssl_session_id ssl_session_reused ssl_server_name ssl_alpn_protocol \
    ssl_client_cert ssl_client_raw_cert ssl_client_escaped_cert ssl_client_s_dn ssl_client_i_dn ssl_client_serial \
    ssl_client_fingerprint ssl_client_verify ssl_client_v_start ssl_client_v_end ssl_client_v_remain \
    geoip_country_code geoip_country_code3 geoip_country_name geoip_org geoip_city_continent_code \
    geoip_city_country_code geoip_city_country_code3 geoip_city_country_name geoip_region geoip_region_name geoip_city \
    geoip_postal_code geoip_latitude geoip_longitude geoip_dma_code geoip_area_code";
const STREAM: &str = "bytes_received session_time protocol upstream_first_byte_time upstream_session_time \
    ssl_preread_protocol ssl_preread_server_name ssl_preread_alpn_protocols";
const HTTP: &str = "ancient_browser args body_bytes_sent connection_requests connection_time connections_active \
    connections_reading connections_waiting connections_writing content_length content_type date_gmt date_local \
    document_root document_uri fastcgi_path_info fastcgi_script_name gzip_ratio host http2 http3 https invalid_referer \
    is_args is_request_port limit_rate limit_req_status memcached_key modern_browser msie pipe proxy_add_x_forwarded_for \
    proxy_host proxy_internal_body_length proxy_internal_chunked proxy_port query_string quic realpath_root remote_user \
    request request_body request_body_file request_completion request_filename request_id request_length \
    request_method request_port request_time request_uri scheme secure_link secure_link_expires server_name \
    server_protocol session_log_binary_id session_log_id slice_range ssl_client_s_dn_legacy ssl_client_i_dn_legacy \
    ssl_early_data tcpinfo_rtt tcpinfo_rttvar tcpinfo_snd_cwnd tcpinfo_rcv_space uid_got uid_reset uid_set \
    upstream_cache_age upstream_cache_status upstream_cache_last_modified upstream_cache_etag \
    upstream_cache_purge_response upstream_header_time upstream_last_server_name upstream_queue_time \
    upstream_response_length upstream_response_time upstream_status uri";
/// Of http, with any name after it.
const HTTP_PREFIXES: [&str; 10] = [
    "arg_",
    "http_",
    "sent_http_",
    "sent_trailer_",
    "upstream_http_",
    "upstream_trailer_",
    "upstream_cookie_",
    "cookie_",
    "proxy_protocol_tlv_",
    "jwt_",
];

/// Why nginx refuses a key, if it does: `defined` are the variables of the configuration.
pub fn refusal(key: &str, module: Module, defined: &BTreeSet<String>) -> Option<String> {
    let mut rest = key;
    while let Some((_, after)) = rest.split_once('$') {
        if after.starts_with(|c: char| ('1'..='9').contains(&c)) {
            rest = &after[1..];
            continue;
        }
        let (bracket, after) = match after.strip_prefix('{') {
            Some(after) => (true, after),
            None => (false, after),
        };
        let length = after.bytes().take_while(|&byte| byte.is_ascii_alphanumeric() || byte == b'_').count();
        let name = &after[..length];
        rest = &after[length..];
        if bracket {
            match rest.strip_prefix('}') {
                Some(after) => rest = after,
                None => return Some(format!("nginx refuses {key}: the brace of a variable is not closed")),
            }
        }
        if name.is_empty() {
            return Some(format!("nginx refuses {key}: a $ without the name of a variable"));
        }
        let name = name.to_ascii_lowercase();
        if !is_own(&name, module) && !defined.contains(&name) {
            let what =
                format!("nginx refuses ${name} in {module}: no such variable, unless a module brings it");
            return Some(what);
        }
    }
    None
}

fn is_own(name: &str, module: Module) -> bool {
    let is_in = |list: &str| list.split_ascii_whitespace().any(|own| own == name);
    match module {
        Module::Stream => is_in(BOTH) || is_in(STREAM) || name.starts_with("proxy_protocol_tlv_"),
        Module::Http => {
            is_in(BOTH) || is_in(HTTP) || HTTP_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        }
    }
}

/// The variables that these directives, and those within them, define.
pub fn defined(directives: &[Directive]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    gather(directives, &mut found);
    found
}

fn gather(directives: &[Directive], into: &mut BTreeSet<String>) {
    for directive in directives {
        let arguments = directive.arguments();
        let variable = match directive.name() {
            "map" | "split_clients" | "keyval" => arguments.get(1),
            "geo" => arguments.last(),
            "set"
            | "js_set"
            | "js_var"
            | "perl_set"
            | "auth_request_set"
            | "auth_jwt_claim_set"
            | "auth_jwt_header_set" => arguments.first(),
            name if name.starts_with("set_by_lua") => arguments.first(),
            _ => None,
        };
        into.extend(
            variable
                .and_then(|word| word.strip_prefix('$'))
                .map(|name| name.trim_matches(['{', '}']).to_lowercase()),
        );
        for word in &directive.words {
            // A pattern's named parts are variables.
            for opening in ["(?<", "(?P<", "(?'"] {
                for (at, _) in word.match_indices(opening) {
                    let name: String = word[at + opening.len()..]
                        .chars()
                        .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                        .collect();
                    into.insert(name.to_lowercase());
                }
            }
        }
        gather(directive.block.as_deref().unwrap_or(&[]), into);
    }
}
