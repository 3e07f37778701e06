package console

import (
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/webserver"
)

// tokenLetters are the characters that a token may have.
const tokenLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// header is a request header that the page's script always sends. A form or script of another site
// cannot send it without a CORS permission, which the page never grants.
const header = "X-Console"

// guard returns a handler that passes the requests that admit permits, those of the page itself, to
// next. admit responds to all others.
func (h *Handler) guard(next http.Handler) http.Handler {
	policy := h.policy()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		setSecurityHeaders(w.Header())
		w.Header().Set("Content-Security-Policy", policy)
		if h.admit(w, r) {
			next.ServeHTTP(w, r)
		}
	})
}

// admit reports whether a request may pass the page's protection against other sites and strangers, and responds to the
// request if it may not.
func (h *Handler) admit(w http.ResponseWriter, r *http.Request) bool {
	if !webserver.IsKnownHost(r.Host, h.config.Hosts) {
		closeConnection(w, r)
		http.Error(
			w,
			"the page does not know the name in the header Host: call it by its IP address or localhost",
			http.StatusMisdirectedRequest,
		)
		return false
	}

	if h.config.Authorize != nil && !h.config.Authorize(w, r) {
		// Authorize has responded itself.
		return false
	}

	if isForeign(r) {
		closeConnection(w, r)
		refuse(w, http.StatusForbidden, storage.PermissionDenied, "a page of another site has sent the request")
		return false
	}

	// A page of another site cannot send this header.
	if needsHeader(r) && r.Header.Get(header) == "" {
		refuse(w, http.StatusForbidden, storage.PermissionDenied, "the header "+header+" is needed")
		return false
	}
	return true
}

// needsHeader reports whether a request must have the header X-Console, which only the page's script
// can send. Calls of the script and all requests that may change something need it.
func needsHeader(r *http.Request) bool {
	if isPart(r) {
		return false
	}
	if strings.HasPrefix(r.URL.Path, "/api/") || strings.HasPrefix(r.URL.Path, "/uploads/") {
		return true
	}
	return r.Method != http.MethodGet && r.Method != http.MethodHead
}

// setSecurityHeaders sets the security headers that every response has.
func setSecurityHeaders(h http.Header) {
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	// The path may contain the token.
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cache-Control", "no-store")
}

// policy returns the page's content security policy, which permits only the page's own files and the
// objects. It also keeps scripts from turning text into HTML.
func (h *Handler) policy() string {
	content := strings.TrimSpace("'self' " + h.config.ContentURL)
	return "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src " + content +
		"; media-src " + content + "; frame-src " + content + "; base-uri 'none'; form-action 'none'; " +
		"frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
}

// isForeign reports whether a page of another origin has caused the request, as browsers say in the
// header Origin or Sec-Fetch-Site. Opening this page by a link on another one is not foreign.
func isForeign(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin != "" {
		u, err := url.Parse(origin)
		// The scheme may differ, because a proxy may have ended TLS.
		return err != nil || !isOrigin(origin) || u.Host != r.Host
	}

	// No page has caused the request if the user has typed the address, or if the client is not a browser.
	site := r.Header.Get("Sec-Fetch-Site")
	if site == "" || site == "none" || site == "same-origin" {
		return false
	}
	opensLink := r.Method == http.MethodGet &&
		r.Header.Get("Sec-Fetch-Mode") == "navigate" &&
		r.Header.Get("Sec-Fetch-Dest") == "document"
	return !opensLink
}

// closeConnection closes the connection after a refused request with a body. Otherwise the server would wait
// for the body, and a stranger could keep many connections open.
func closeConnection(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 {
		w.Header().Set("Connection", "close")
	}
}

// isClean reports whether a path has no "." or ".." segments and no double slashes. A path with
// them would make net/http redirect, and the redirect would lose the token.
func isClean(escaped string) bool {
	clean := path.Clean(escaped)
	return escaped == clean || escaped == clean+"/"
}

// isPart reports whether a request uploads a part of a large file. Such a request has a signed
// address, and upload.js sends no X-Console header with it.
func isPart(r *http.Request) bool {
	return r.Method == http.MethodPut && strings.HasPrefix(r.URL.Path, "/uploads/") &&
		strings.Contains(r.URL.Path, "/s3/part/") && r.URL.Query().Get("signature") != ""
}

// isOrigin reports whether an address is an HTTP origin: a scheme and a host, and nothing else.
func isOrigin(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil {
		return false
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return false
	}
	return u.Scheme+"://"+u.Host == address
}
