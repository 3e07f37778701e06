package documented

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// AzureTokens is an account that refuses requests with the account key, or with a signature by this
// key. A request must have the token "token", or a signature by the key AzureDelegated.
//
// An emulator accepts only the account key and its signatures, so AzureTokens checks a request and
// then replaces its authorization:
//
//   - sign signs a request with the account key, in place of the token.
//   - grant checks a signature by the key AzureDelegated. It returns the query of a signature by the
//     account key with the same permissions, or nil if the signature is wrong.
//   - access is the query of a shared access signature, which replaces the token for the source of a
//     copy.
func AzureTokens(
	access url.Values, sign func(r *http.Request), grant func(container, key string, query url.Values) url.Values,
) Peculiarity {
	return Peculiarity{
		Name:   "tokens only",
		Source: "https://learn.microsoft.com/azure/storage/common/shared-key-authorization-prevent",
		wrap: func(next http.Handler) http.Handler {
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

// ServeHTTP refuses a request without the right authorization, and passes on others with one by the account key,
// which the emulator accepts.
func (a *tokenAccount) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	hasToken := r.Header.Get("Authorization") == azureBearer
	if query.Get("comp") == "userdelegationkey" {
		delegate(w, r, hasToken)
		return
	}
	if query.Get("comp") == "batch" && hasToken {
		// Each request of the batch has its own authorization.
		serveBatch(w, r, a.ServeHTTP)
		return
	}

	hasOtherHeader := r.Header.Get("Authorization") != "" && !hasToken
	// A signature with skoid is one by a delegated key, and not by the account key.
	hasKeySignature := query.Has("sig") && !query.Has("skoid") && !hasToken
	if hasOtherHeader || hasKeySignature {
		answer := azureRefusal("KeyBasedAuthenticationNotPermitted", http.StatusForbidden,
			"Key based authentication is not permitted on this storage account.", "Azure/AI-Landing-Zones#64")
		answer.send(w, r)
		return
	}

	r = r.Clone(r.Context())
	granted := a.granted(r.URL)
	if !a.readsSource(r) {
		azureUnread().send(w, r)
		return
	}
	if !hasToken && !granted {
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

// granted replaces the signature in an address, if it has one, by one that the emulator accepts. It
// returns false if the signature is wrong.
func (a *tokenAccount) granted(address *url.URL) bool {
	query := address.Query()
	if !query.Has("sig") {
		return true
	}
	container, key := azureBlob(&http.Request{URL: address})
	grant := a.grant(container, key, query)
	for _, name := range []string{"skoid", "sktid", "skt", "ske", "sks", "skv"} {
		query.Del(name)
	}
	for name, values := range grant {
		query[name] = values
	}
	address.RawQuery = query.Encode()
	return grant != nil
}

// readsSource reports whether the service may read the source of the copy that r requests, if r is a
// copy. It replaces the authorization of the source by one that the emulator accepts.
func (a *tokenAccount) readsSource(r *http.Request) bool {
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
	if hasSignature {
		if token != "" || !a.granted(source) {
			return false
		}
	} else {
		if token != azureBearer {
			return false
		}
		source.RawQuery = a.access.Encode()
	}
	r.Header.Del("X-Ms-Copy-Source-Authorization")
	r.Header.Set("X-Ms-Copy-Source", source.String())
	return true
}

// delegate responds with a delegated key that is valid for the requested time, but refuses a request
// without a token, or for more than seven days. See
// https://learn.microsoft.com/rest/api/storageservices/get-user-delegation-key.
func delegate(w http.ResponseWriter, r *http.Request, hasToken bool) {
	const (
		maxBody = 1 << 20
		maxTerm = 7 * 24 * time.Hour
	)

	var request struct{ Start, Expiry string }
	bodyErr := xml.NewDecoder(io.LimitReader(r.Body, maxBody)).Decode(&request)
	start, startErr := time.Parse(time.RFC3339, request.Start)
	end, endErr := time.Parse(time.RFC3339, request.Expiry)
	isParsed := bodyErr == nil && startErr == nil && endErr == nil
	isTermValid := end.After(start) && end.Sub(start) <= maxTerm
	if !hasToken || !isParsed || !isTermValid {
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

// AzureKeys returns a handler that only responds to requests for a delegated key.
func AzureKeys() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		delegate(w, r, true)
	})
}
