package documented

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// AzureTokens is an account that refuses the account key and its signatures. A request must have the
// token "token", or a signature by the key AzureDelegated.
//
// The emulator behind it accepts only the account key and its signatures. So AzureTokens checks the
// authorization of each request, and then replaces it by one that the emulator accepts:
//
//   - sign replaces a token: it signs the request with the account key.
//   - grant replaces a signature by AzureDelegated: it returns the query of a signature by the
//     account key with the same permissions, or nil if the given signature is wrong.
//   - access replaces the token of the source of a copy: it is the query of a signature by the
//     account key.
func AzureTokens(
	access url.Values, sign func(r *http.Request), grant func(container, key string, query url.Values) url.Values,
) Behavior {
	return Behavior{
		Name:   "tokens only",
		Source: "https://learn.microsoft.com/azure/storage/common/shared-key-authorization-prevent",
		middleware: func(next http.Handler) http.Handler {
			return &tokenAccount{next: next, access: access, sign: sign, grant: grant}
		},
	}
}

// AzureDelegated is the key that an account delegates to its users.
const AzureDelegated = "ZGVsZWdhdGVk"

// A tokenAccount is the handler of AzureTokens. Its fields are the parameters of that function.
type tokenAccount struct {
	next   http.Handler
	access url.Values
	sign   func(r *http.Request)
	grant  func(container, key string, signed url.Values) url.Values
}

const azureBearer = "Bearer token"

// ServeHTTP serves requests for a delegated key and batches, and authorizes all others.
func (a *tokenAccount) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	hasToken := r.Header.Get("Authorization") == azureBearer
	comp := r.URL.Query().Get("comp")
	if comp == "userdelegationkey" {
		delegate(w, r, hasToken)
		return
	}
	if comp == "batch" && hasToken {
		// Each request of the batch has its own authorization.
		serveBatch(w, r, a.ServeHTTP)
		return
	}
	a.authorize(w, r, hasToken)
}

// authorize passes on a request after it has replaced the token, or a signature by the delegated key,
// by an authorization with the account key. It refuses a request with any other authorization.
func (a *tokenAccount) authorize(w http.ResponseWriter, r *http.Request, hasToken bool) {
	if !hasToken && usesAccountKey(r) {
		answer := azureRefusal("KeyBasedAuthenticationNotPermitted", http.StatusForbidden,
			"Key based authentication is not permitted on this storage account.", "Azure/AI-Landing-Zones#64")
		answer.send(w, r)
		return
	}

	// Replace the signatures of the request and of its source, if it is a copy.
	r = r.Clone(r.Context())
	isSignatureValid := a.replaceSignature(r.URL)
	if !a.replaceSource(r) {
		azureSourceDenied().send(w, r)
		return
	}

	// A request with a token needs no signature in its address.
	if !hasToken && !isSignatureValid {
		answer := azureRefusal("AuthenticationFailed", http.StatusForbidden,
			"Server failed to authenticate the request.", azureErrors)
		answer.send(w, r)
		return
	}
	if hasToken {
		a.sign(r)
	}
	a.next.ServeHTTP(w, r)
}

// usesAccountKey reports whether a request without the token has another header for its
// authorization, or a signature by the account key. Signatures by a delegated key have a skoid.
func usesAccountKey(r *http.Request) bool {
	query := r.URL.Query()
	hasKeySignature := query.Has("sig") && !query.Has("skoid")
	return hasKeySignature || r.Header.Get("Authorization") != ""
}

// replaceSignature replaces the signature in an address, if it has one, by one that the emulator
// accepts. If the signature is wrong, it returns false, and the address has no valid one.
func (a *tokenAccount) replaceSignature(address *url.URL) bool {
	query := address.Query()
	if !query.Has("sig") {
		return true
	}
	container, key := azureBlob(&http.Request{URL: address})
	grant := a.grant(container, key, query)

	// Only a signature by a delegated key has these parameters.
	for _, name := range []string{"skoid", "sktid", "skt", "ske", "sks", "skv"} {
		query.Del(name)
	}
	for name, values := range grant {
		query[name] = values
	}
	address.RawQuery = query.Encode()
	isSignatureValid := grant != nil
	return isSignatureValid
}

// replaceSource replaces the authorization of the source of a copy by one that the emulator accepts.
// It returns false if r has no right to read the source. If r is no copy, it does nothing.
func (a *tokenAccount) replaceSource(r *http.Request) bool {
	address := r.Header.Get("X-Ms-Copy-Source")
	if address == "" {
		return true
	}
	source, err := url.Parse(address)
	if err != nil {
		return false
	}

	// The source must have either the right token or a right signature, and not both.
	token := r.Header.Get("X-Ms-Copy-Source-Authorization")
	hasSignature := source.Query().Has("sig")
	switch {
	case hasSignature && token != "":
		return false
	case hasSignature:
		if !a.replaceSignature(source) {
			return false
		}
	case token == azureBearer:
		source.RawQuery = a.access.Encode()
	default:
		return false
	}
	r.Header.Del("X-Ms-Copy-Source-Authorization")
	r.Header.Set("X-Ms-Copy-Source", source.String())
	return true
}

// delegate responds with a delegated key that is valid for the requested time, but refuses a request
// without a token, or for more than seven days. See
// https://learn.microsoft.com/rest/api/storageservices/get-user-delegation-key.
func delegate(w http.ResponseWriter, r *http.Request, hasToken bool) {
	const maxBody = 1 << 20
	var request struct{ Start, Expiry string }
	err := xml.NewDecoder(io.LimitReader(r.Body, maxBody)).Decode(&request)
	if err != nil || !hasToken || !isValidTerm(request.Start, request.Expiry) {
		answer := azureRefusal("AuthenticationFailed", http.StatusForbidden,
			"Server failed to authenticate the request.", azureErrors)
		answer.send(w, r)
		return
	}

	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("X-Ms-Request-Id", "R1")
	// Like Azure's, the document begins with a byte order mark.
	fmt.Fprintf(w, "\ufeff"+`<?xml version="1.0" encoding="utf-8"?><UserDelegationKey>`+
		`<SignedOid>object</SignedOid><SignedTid>tenant</SignedTid>`+
		`<SignedStart>%s</SignedStart><SignedExpiry>%s</SignedExpiry>`+
		`<SignedService>b</SignedService><SignedVersion>%s</SignedVersion>`+
		`<Value>%s</Value></UserDelegationKey>`,
		request.Start, request.Expiry, r.Header.Get("X-Ms-Version"), AzureDelegated)
}

// isValidTerm reports whether a delegated key can be valid from start to expiry, which are times in
// RFC 3339.
func isValidTerm(start, expiry string) bool {
	const maxTerm = 7 * 24 * time.Hour
	startTime, err := time.Parse(time.RFC3339, start)
	if err != nil {
		return false
	}
	endTime, err := time.Parse(time.RFC3339, expiry)
	if err != nil {
		return false
	}
	return endTime.After(startTime) && endTime.Sub(startTime) <= maxTerm
}

// AzureKeys returns a handler that only responds to requests for a delegated key.
func AzureKeys() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		delegate(w, r, true)
	})
}
