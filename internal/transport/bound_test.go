package transport

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/serving"
)

// A noWatch does not watch whether content is read.
type noWatch struct{}

func (noWatch) Pause() {}

// For the engine, the transport cuts the body of an error, and refuses a document that is too long. It does not
// limit the content of objects.
func TestBoundOfBodies(t *testing.T) {
	// The server sends 2 MiB more than a document may have.
	const mib = 1 << 20
	const sent = Document + 2*mib
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/failed" {
			w.WriteHeader(http.StatusForbidden)
		}
		for range sent / mib {
			_, _ = w.Write(make([]byte, mib))
		}
	}))
	defer server.Close()

	newOperation := func() context.Context { return serving.WithCall(t.Context(), &serving.Call{}) }
	tests := []struct {
		name    string
		path    string
		ctx     context.Context
		size    int64 // of what the client reads
		tooLong bool
	}{
		{
			name: "the body of an error",
			path: "/failed",
			ctx:  newOperation(),
			size: ErrorBody,
		},
		{
			name:    "a document",
			path:    "/",
			ctx:     newOperation(),
			size:    Document,
			tooLong: true,
		},
		{
			name: "the content of an object",
			path: "/",
			ctx:  serving.WithContent(newOperation(), noWatch{}),
			size: sent,
		},
		{
			name: "a request that is not the engine's",
			path: "/",
			ctx:  t.Context(),
			size: sent,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(tt.ctx, http.MethodGet, server.URL+tt.path, nil)
			require.NoError(t, err)
			response, err := New(Options{}).RoundTrip(req)
			require.NoError(t, err)

			size, err := io.Copy(io.Discard, response.Body)
			require.NoError(t, response.Body.Close())
			if tt.tooLong {
				require.ErrorIs(t, err, ErrTooLong)
				require.LessOrEqual(t, size, tt.size)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.size, size)
		})
	}
}

// A wrapping RoundTripper wraps the body of each response, as a RoundTripper for logs or traces does. It has no other
// methods.
type wrapping struct{ base http.RoundTripper }

// RoundTrip hides the type of the response's body.
func (w wrapping) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := w.base.RoundTrip(r)
	if err == nil {
		response.Body = struct{ io.ReadCloser }{response.Body}
	}
	return response, err
}

// A response to a HEAD request has no body, whatever its Content-Length is, and even if a transport of
// the user has wrapped http.NoBody.
func TestResponseToAHeadHasNoBody(t *testing.T) {
	const length = 5 << 40
	tr, server := newTransport(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(length))
		if r.URL.Path == "/failed" {
			w.WriteHeader(http.StatusForbidden)
		}
	})
	overUsers := Over(wrapping{tr})

	tests := []struct {
		name string
		tr   *Transport
		path string
	}{
		{name: "a success", tr: tr, path: "/"},
		{name: "an error", tr: tr, path: "/failed"},
		{name: "a success, over a user's transport", tr: overUsers, path: "/"},
		{name: "an error, over a user's transport", tr: overUsers, path: "/failed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx := serving.WithCall(t.Context(), &serving.Call{}) // as for a request of the engine
			resp, err := tt.tr.RoundTrip(newRequest(t, ctx, http.MethodHead, server.URL+tt.path, nil))
			require.NoError(t, err)
			require.EqualValues(t, length, resp.ContentLength)
			require.Equal(t, http.NoBody, resp.Body)
		})
	}
}

// A request fails if the headers of its response exceed a limit, which no store reaches.
func TestBoundOfHeads(t *testing.T) {
	// The server responds with a header that is as long as the body of the request.
	tr, server := newTransport(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Amz-Meta-Long", strings.Repeat("x", int(r.ContentLength)))
	})
	tests := []struct {
		name    string
		size    int
		tooLong bool
	}{
		{name: "longer than those of any store", size: 256 << 10, tooLong: false},
		{name: "beyond the limit", size: 2 << 20, tooLong: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body := strings.NewReader(strings.Repeat("x", tt.size))
			response, err := tr.RoundTrip(newRequest(t, t.Context(), http.MethodPut, server.URL, body))
			if tt.tooLong {
				require.ErrorContains(t, err, "response headers exceeded")
				return
			}
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
		})
	}
}

// A request fails if its response has another number of bytes than its Content-Range says.
func TestBoundOfARange(t *testing.T) {
	tests := []struct {
		name  string
		body  string
		fails bool
	}{
		{name: "three bytes", body: "234", fails: false},
		{name: "a byte more", body: "2345", fails: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Range", "bytes 2-4/10")
				w.WriteHeader(http.StatusPartialContent)
				_, _ = io.WriteString(w, tt.body)
			}))
			defer server.Close()

			resp, err := New(Options{}).RoundTrip(newRequest(t, t.Context(), http.MethodGet, server.URL, nil))
			if tt.fails {
				require.Error(t, err)
				return
			}
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
		})
	}
}

// The transport masks the secrets of a request that its response repeats.
func TestMaskSecretsOfTheRequest(t *testing.T) {
	const (
		token = "a/token+of=the/session&more"
		mac   = "bWFjK21hYy9tYWM="
	)
	// The response repeats all headers and the address in its body, and has a secret in a header.
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Ms-Error-Code", r.Header.Get("Authorization"))
		if r.Method == http.MethodGet {
			w.WriteHeader(http.StatusBadRequest)
		}
		text := fmt.Sprintf("%q %v %s", r.Header, r.Header, r.RequestURI)
		padding := strings.Repeat(" ", 5000) // the secrets lie across the edge of a buffer
		_, _ = io.WriteString(w, padding+text)
	}))
	defer server.Close()

	for _, method := range []string{http.MethodGet, http.MethodPost} {
		t.Run(method, func(t *testing.T) {
			ctx := serving.WithCall(t.Context(), &serving.Call{})
			req := newRequest(t, ctx, method, server.URL+"/?sig=the%2Bsignature%3D%3D", nil)
			req.Header.Set("Authorization", "SharedKey account:"+mac)
			req.Header.Set("X-Amz-Security-Token", token)
			req.Header.Set("X-Ms-Encryption-Key", "the customer's key")
			req.Header.Set("Cookie", "session=0123456789")
			req.Header.Set("X-Goog-Gcs-Idempotency-Token", "the attempt's")
			req.Header.Set("X-Ms-Copy-Source", "https://example.com/a?se=2026&sig=the+source%27s")

			resp, err := New(Options{}).RoundTrip(req)
			require.NoError(t, err)
			text, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())

			// Neither the text nor the error code shows a secret.
			secrets := []string{
				token, mac, "customer's key", "0123456789", "signature%3D", "signature=", "the+source",
			}
			for _, secret := range secrets {
				require.NotContains(t, string(text), secret)
			}
			if method == http.MethodGet {
				require.NotContains(t, resp.Header.Get("X-Ms-Error-Code"), mac)
			}

			// The rest of the text stays.
			require.Contains(t, string(text), "https://example.com/a?se=2026")
			require.Contains(t, string(text), "the attempt's", "an idempotency token is no secret")
		})
	}
}

// Only the signature in the Authorization header of AWS is masked. The names of the signed headers
// stay, because an error may be about one of them.
func TestMaskSignatureOfAmazon(t *testing.T) {
	const signature = "9aef0123456789abcdef"
	const unsigned = "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20261125/eu-west-1/s3/aws4_request, " +
		"SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature="
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://example.com/", nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", unsigned+signature)

	text := maskString("x-amz-date is too old; "+req.Header.Get("Authorization"), secretsOf(req))
	require.NotContains(t, text, signature)
	require.Contains(t, text, "x-amz-date is too old; "+unsigned+"*")
}

// The signature of an Authorization header is masked if a response repeats only that, whatever the
// scheme is.
func TestMaskSignatureOfOtherSchemes(t *testing.T) {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://example.com/", nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "GOOG4-HMAC-SHA256 Credential=id, Signature=0123456789abcdef")

	masked := maskString("wrong: 0123456789abcdef", secretsOf(req))
	require.Equal(t, "wrong: ****************", masked)
}

// A secret in a text is replaced by stars if it is written as it is, escaped as in a URL, or in
// hexadecimal digits.
func TestMaskSpellings(t *testing.T) {
	const token = "a/token+of=the&session"
	tests := []struct{ name, text, masked string }{
		{name: "as it is", text: "token " + token + ".", masked: "token **********************."},
		{name: "twice", text: token + token, masked: strings.Repeat("*", 44)},
		{
			name:   "in a URL",
			text:   "?t=a%2Ftoken%2Bof%3Dthe%26session&u",
			masked: "?t=" + strings.Repeat("*", 30) + "&u",
		},
		{
			name:   "in a URL, in lower case",
			text:   "a%2ftoken%2bof%3dthe%26session",
			masked: strings.Repeat("*", 30),
		},
		{
			name:   "in hexadecimal digits",
			text:   fmt.Sprintf("<% x>", token),
			masked: "<" + strings.Repeat("*", 65) + ">",
		},
		{name: "another text", text: "a/token of another %zz", masked: "a/token of another %zz"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.masked, maskString(tt.text, spellings([]string{token})))
		})
	}
}

// If a response repeats the URL as it was sent, the signature is masked, whichever of its characters the client
// escaped.
func TestMaskParametersAsSent(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "https://example.com/a?sig=first+half/of%3d", nil)
	require.Equal(t, "no /a?sig=****************", maskString("no /a?sig=first+half/of%3d", secretsOf(r)))
}
