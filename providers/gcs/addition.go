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

// withRequestFields returns a context whose requests also have the header and the query. If ctx has such
// fields already, the requests have both, but a new field replaces an old one of the same name.
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

// joined returns the fields of both. If both have a field, the result has that of inner.
func joined[M ~map[string][]string](outer, inner M) M {
	all := make(M, len(outer)+len(inner))
	maps.Copy(all, outer)
	maps.Copy(all, inner)
	return all
}

// withCallOptions returns a context whose requests have the headers and parameters of a call.
func withCallOptions(ctx context.Context, opts *callOptions) context.Context {
	return withRequestFields(ctx, opts.header, opts.query)
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
	added, hasAddition := r.Context().Value(additionKey{}).(addition)
	// Only the account's own server may learn which project to bill.
	namesProject := t.userProject != "" && r.URL.Host == t.host
	if !hasAddition && !namesProject {
		return t.base.RoundTrip(r)
	}

	// A RoundTripper must not change the caller's request.
	req := *r
	req.Header = maps.Clone(r.Header)
	if namesProject {
		req.Header.Set(userProjectHeader, t.userProject)
	}
	maps.Copy(req.Header, added.header)
	if len(added.query) > 0 {
		u := *r.URL
		if u.RawQuery != "" {
			u.RawQuery += "&"
		}
		u.RawQuery += added.query.Encode()
		req.URL = &u
	}
	return t.base.RoundTrip(&req)
}
