package storage

import (
	"context"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strings"
	"time"
)

const (
	defaultTTL = time.Hour
	minTTL     = time.Second
	maxTTL     = 7 * 24 * time.Hour // the limit of SigV4 and of GCS V4, held on every driver
)

// A SignedURL is a request that its holder can make without credentials. Its
// JSON is plain, for handing over; as text it shows no signature.
type SignedURL struct {
	URL       string      `json:"url"`
	Method    string      `json:"method"`    // GET, HEAD or PUT
	Header    http.Header `json:"headers"`   // the request must carry these; none that a browser refuses to set
	ExpiresAt time.Time   `json:"expiresAt"` // UTC; the earlier of the TTL's end and the signing credentials' own
}

// String is method and address with the query masked, for logs.
func (u SignedURL) String() string { return u.Method + " " + maskQuery(u.URL) }

// GoString is String.
func (u SignedURL) GoString() string { return u.String() }

// LogValue shows no signature.
func (u SignedURL) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("method", u.Method),
		slog.String("url", maskQuery(u.URL)),
		slog.Time("expiresAt", u.ExpiresAt),
	)
}

// Request is the request to make, with the headers that it must carry. A body
// of *bytes.Reader, *bytes.Buffer or *strings.Reader sets its length, as
// http.NewRequest does. InvalidArgument where the address is no URL.
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

// An UploadForm is a browser form (POST policy) that uploads one object. Its
// JSON is plain, for handing over; as text it shows no policy and no signature.
type UploadForm struct {
	URL       string            `json:"url"`
	Fields    map[string]string `json:"fields"`
	ExpiresAt time.Time         `json:"expiresAt"`
}

// String is the address alone.
func (f UploadForm) String() string { return http.MethodPost + " " + maskQuery(f.URL) }

// GoString is String.
func (f UploadForm) GoString() string { return f.String() }

// LogValue shows no policy and no signature.
func (f UploadForm) LogValue() slog.Value {
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

type ttlOption time.Duration

func (o ttlOption) apply(r *SignRequest) {
	if d := time.Duration(o); d < minTTL || d > maxTTL {
		r.set.fail("WithTTL", "must be from 1 second to 7 days")
	}
	r.TTL = time.Duration(o)
}
func (o ttlOption) applySignedUpload(r *SignRequest)   { o.apply(r) }
func (o ttlOption) applySignedDownload(r *SignRequest) { o.apply(r) }

// WithTTL sets how long a signed address works: 1 hour by default, from 1
// second to 7 days, else InvalidArgument. Credentials that expire earlier end
// it earlier, and [SignedURL.ExpiresAt] says when. If a session's credentials do
// not say when they expire, as those that AWS Lambda, a container or CI passes in
// AWS_SESSION_TOKEN, the address is signed for 12 hours at most. It may die before
// that with its session: AWS_CREDENTIAL_EXPIRATION says when the session ends.
func WithTTL(d time.Duration) TTLOption { return ttlOption(d) }

type signedDownloadOption func(*SignRequest)

func (o signedDownloadOption) applySignedDownload(r *SignRequest) { o(r) }

// WithResponseContentType has the object served with this media type.
func WithResponseContentType(mediaType string) SignedDownloadOption {
	return signedDownloadOption(func(r *SignRequest) {
		if !validMediaType(mediaType) {
			r.set.fail("WithResponseContentType", "must be type/subtype")
		}
		r.ResponseType = mediaType
	})
}

// WithDownloadName has a browser save the object under this name
// (Content-Disposition: attachment, RFC 6266). The last of it and
// [WithResponseContentDisposition] counts.
func WithDownloadName(filename string) SignedDownloadOption {
	return signedDownloadOption(func(r *SignRequest) {
		if filename == "" || len(filename) > maxHeaderBytes || !plainText(filename) {
			r.set.fail("WithDownloadName", "must be text of 1 to 1,024 bytes without control characters")
		}
		r.ResponseName, r.ResponseContentDisposition = filename, ""
	})
}

// WithResponseContentDisposition has the object served with this
// Content-Disposition (RFC 6266): a browser shows an object of "inline", or of
// `inline; filename="report.pdf"`, and saves it under that name if asked to. It
// must be ASCII of at most 1,024 bytes that begins with a disposition type, else
// InvalidArgument. The handler of package serve still answers what a browser could
// run as an attachment.
func WithResponseContentDisposition(disposition string) SignedDownloadOption {
	return signedDownloadOption(func(r *SignRequest) {
		if _, _, err := mime.ParseMediaType(disposition); err != nil || !validHeader(disposition) {
			r.set.fail("WithResponseContentDisposition", `must be as in inline; filename="report.pdf", in ASCII, of at most 1,024 bytes; a file name beyond that is written as filename*=UTF-8''...`)
		}
		r.ResponseName, r.ResponseContentDisposition = "", disposition
	})
}

// WithMethod signs for GET, the default, or HEAD, else InvalidArgument. An address
// for HEAD tells the object's attributes and reads no bytes; a store that cannot
// hold it to that (Azure) is Unsupported. Sign one address for each method that is
// used: S3 refuses HEAD at an address for GET.
func WithMethod(method string) SignedDownloadOption {
	return signedDownloadOption(func(r *SignRequest) {
		if method != http.MethodGet && method != http.MethodHead {
			r.set.fail("WithMethod", "must be GET or HEAD")
		}
		r.Method = method
	})
}
