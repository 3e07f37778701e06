package gcs

import (
	"context"
	"maps"
	"net/http"
	"net/url"
)

// An addition is the set of headers and parameters that one operation adds to all its requests.
type addition struct {
	header http.Header
	query  url.Values
}

type additionKey struct{}

func withRequestFields(ctx context.Context, header http.Header, query url.Values) context.Context {
	if len(header) == 0 && len(query) == 0 {
		return ctx
	}
	if outer, ok := ctx.Value(additionKey{}).(addition); ok {
		header = joined(outer.header, header)
		query = joined(outer.query, query)
	}
	return context.WithValue(ctx, additionKey{}, addition{header, query})
}

func joined[M ~map[string][]string](outer, inner M) M {
	all := make(M, len(outer)+len(inner))
	maps.Copy(all, outer)
	maps.Copy(all, inner)
	return all
}

func withCall(ctx context.Context, c *call) context.Context {
	return withRequestFields(ctx, c.header, c.query)
}

// An adder is a RoundTripper that adds the headers and parameters which the context of a request
// carries. It also adds the project to bill to each request to the storage service. It does so even
// for requests of the client that [storage.As] returns.
type adder struct {
	base        http.RoundTripper
	host        string // host of the storage service
	userProject string // Config.UserProject
}

// RoundTrip adds the headers and parameters that the request's context carries, and sends the
// request.
func (t *adder) RoundTrip(r *http.Request) (*http.Response, error) {
	a, ok := r.Context().Value(additionKey{}).(addition)
	bills := t.userProject != "" && r.URL.Host == t.host
	if !ok && !bills {
		return t.base.RoundTrip(r)
	}
	req := *r
	req.Header = maps.Clone(r.Header)
	if bills {
		req.Header.Set(userProjectHeader, t.userProject)
	}
	maps.Copy(req.Header, a.header)
	if len(a.query) > 0 {
		address := *r.URL
		if address.RawQuery != "" {
			address.RawQuery += "&"
		}
		address.RawQuery += a.query.Encode()
		req.URL = &address
	}
	return t.base.RoundTrip(&req)
}
