package serve

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/omnibucket/storage"
)

// matchingRule returns the first CORS rule that permits pages of origin to send a request with this
// method and these headers, or nil.
func matchingRule(rules []storage.CORSRule, origin, method string, headers []string) *storage.CORSRule {
	for i := range rules {
		rule := &rules[i]
		if !matchesAny(rule.Origins, origin) || !slices.Contains(rule.Methods, method) {
			continue
		}
		if allowsHeaders(rule, headers) {
			return rule
		}
	}
	return nil
}

// allowsHeaders reports whether a rule permits all headers with these names.
func allowsHeaders(rule *storage.CORSRule, names []string) bool {
	for _, name := range names {
		if !allowsHeader(rule, name) {
			return false
		}
	}
	return true
}

// allowsHeader reports whether a rule permits a header, whatever the case of its name.
func allowsHeader(rule *storage.CORSRule, name string) bool {
	name = strings.ToLower(name)
	for _, pattern := range rule.AllowedHeaders {
		if wildcardMatch(strings.ToLower(pattern), name) {
			return true
		}
	}
	return false
}

// matchesAny reports whether text matches one of the patterns.
func matchesAny(patterns []string, text string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return wildcardMatch(pattern, text) })
}

// wildcardMatch reports whether text matches pattern. Each * in pattern matches any text.
func wildcardMatch(pattern, text string) bool {
	// The text before the first star must begin the text.
	head, rest, hasStar := strings.Cut(pattern, "*")
	if !hasStar {
		return text == pattern
	}
	text, ok := strings.CutPrefix(text, head)
	if !ok {
		return false
	}

	// Match each part between two stars at its first occurrence, which leaves the most text for
	// the parts after it. The part after the last star must end the text.
	for {
		part, afterPart, hasStar := strings.Cut(rest, "*")
		if !hasStar {
			return strings.HasSuffix(text, part)
		}
		_, afterMatch, found := strings.Cut(text, part)
		if !found {
			return false
		}
		text = afterMatch
		rest = afterPart
	}
}

// allowOrigin adds the headers without which a browser hides the response from the page, if a rule
// permits the page's origin. They do not permit cookies, because the handler checks only signatures.
func allowOrigin(h http.Header, rules []storage.CORSRule, r *http.Request) {
	if len(rules) == 0 {
		return
	}
	// The response depends on the origin even if no rule matches, so caches must distinguish origins.
	h.Add("Vary", "Origin")

	origin := r.Header.Get("Origin")
	rule := matchingRule(rules, origin, r.Method, nil)
	if origin == "" || rule == nil {
		return
	}
	setAllowOrigin(h, rule, origin)
	if len(rule.ExposedHeaders) > 0 {
		h.Set("Access-Control-Expose-Headers", strings.Join(rule.ExposedHeaders, ", "))
	}
}

// setAllowOrigin sets the header that permits pages of the origin to read the response.
func setAllowOrigin(h http.Header, rule *storage.CORSRule, origin string) {
	if slices.Contains(rule.Origins, "*") {
		origin = "*"
	}
	h.Set("Access-Control-Allow-Origin", origin)
}

// preflight responds to an OPTIONS request, with which a browser asks whether a page of another site may send its
// actual request.
func preflight(w http.ResponseWriter, r *http.Request, rules []storage.CORSRule) *failure {
	h := w.Header()
	h.Add("Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers")

	// Without these headers, the request is not a preflight.
	origin := r.Header.Get("Origin")
	method := r.Header.Get("Access-Control-Request-Method")
	if origin == "" || method == "" {
		return errRequest
	}

	names := requestedHeaders(r.Header)
	rule := matchingRule(rules, origin, method, names)
	if rule == nil {
		return corsFailure(rules, origin, method, names)
	}

	setAllowOrigin(h, rule, origin)
	h.Set("Access-Control-Allow-Methods", strings.Join(rule.Methods, ", "))
	if len(names) > 0 {
		h.Set("Access-Control-Allow-Headers", strings.Join(names, ", "))
	}
	if rule.MaxAge > 0 {
		h.Set("Access-Control-Max-Age", strconv.FormatInt(int64(rule.MaxAge/time.Second), 10))
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// corsFailure returns an error that says why no rule permits the request: because of its origin, or else its method, or
// else the first header that no rule permits.
func corsFailure(rules []storage.CORSRule, origin, method string, headers []string) *failure {
	allowsOrigin := false
	for i := range rules {
		rule := &rules[i]
		if !matchesAny(rule.Origins, origin) {
			continue
		}
		allowsOrigin = true
		if !slices.Contains(rule.Methods, method) {
			continue
		}

		// The rule permits the origin and the method, so the reason must be a header.
		for _, name := range headers {
			if !allowsHeader(rule, name) {
				return headerFailure(name)
			}
		}
	}

	// No rule permits both the origin and the method.
	if !allowsOrigin {
		return errCORS.withMessage(
			"No CORS rule of the bucket allows the origin " + quote(origin) + ". Name it in Origins.")
	}
	return errCORS.withMessage(
		"No CORS rule of the bucket allows the method " + quote(method) + " of the origin " + quote(origin) +
			". Name it in Methods.")
}

// headerFailure returns the error for a header that no rule permits.
func headerFailure(name string) *failure {
	message := "No CORS rule of the bucket allows the header " + quote(name) +
		" of this origin and method. Name it in AllowedHeaders."
	if strings.EqualFold(name, "If-None-Match") {
		message += " A signed upload with IfAbsent sends it."
	}
	return errCORS.withMessage(message)
}

// quote quotes text that a browser sent, and shortens it to fit a message.
func quote(text string) string {
	const maxText = 200 // bytes
	return strconv.Quote(text[:min(len(text), maxText)])
}

// requestedHeaders returns the names in the header Access-Control-Request-Headers.
func requestedHeaders(h http.Header) []string {
	var names []string
	for _, line := range h.Values("Access-Control-Request-Headers") {
		for name := range strings.SplitSeq(line, ",") {
			name = strings.TrimSpace(name)
			if name != "" {
				names = append(names, name)
			}
		}
	}
	return names
}
