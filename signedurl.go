package storage

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"
)

// A SignedURL is a request that its holder can make without credentials. Its JSON has all
// of it, to be sent to a client; as text it shows no signature.
type SignedURL struct {
	URL       string      `json:"url"`
	Method    string      `json:"method"`    // GET, HEAD or PUT
	Header    http.Header `json:"headers"`   // the request must have these; a browser can set all of them
	ExpiresAt time.Time   `json:"expiresAt"` // UTC; the end of the TTL or of the signing credentials, if that is earlier
}

// String returns method and address, with the query masked, for logs.
func (u SignedURL) String() string { return u.Method + " " + maskQuery(u.URL) }

// GoString returns String.
func (u SignedURL) GoString() string { return u.String() }

// LogValue returns the request without its signature.
func (u SignedURL) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("method", u.Method),
		slog.String("url", maskQuery(u.URL)),
		slog.Time("expiresAt", u.ExpiresAt),
	)
}

// Request returns the request to make, with its headers. If body is a *bytes.Reader,
// *bytes.Buffer or *strings.Reader, the length is set, as http.NewRequest does. If the
// address is not a URL, it fails with InvalidArgument.
func (u SignedURL) Request(ctx context.Context, body io.Reader) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, u.Method, u.URL, body)
	if err != nil {
		return nil, &Error{Code: InvalidArgument, Op: "Request", Err: err}
	}
	for name, values := range u.Header {
		r.Header[http.CanonicalHeaderKey(name)] = append([]string(nil), values...)
	}
	return r, nil
}

// A SignedForm is a browser form (POST policy) that uploads one object. Its JSON has all of
// it, to be sent to a client; as text it shows neither policy nor signature.
type SignedForm struct {
	URL       string            `json:"url"`
	Fields    map[string]string `json:"fields"`
	ExpiresAt time.Time         `json:"expiresAt"`
}

// String returns only the address.
func (f SignedForm) String() string { return http.MethodPost + " " + maskQuery(f.URL) }

// GoString returns String.
func (f SignedForm) GoString() string { return f.String() }

// LogValue returns the form without policy and signature.
func (f SignedForm) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("url", maskQuery(f.URL)),
		slog.Time("expiresAt", f.ExpiresAt),
	)
}

func maskQuery(address string) string {
	if i := strings.IndexByte(address, '?'); i >= 0 {
		return address[:i] + "?REDACTED"
	}
	return address
}
