package cdn_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cdn"
)

const token = "token-of-a-test"

// A fakeAPI is a server with TLS that records its requests. Its client sends requests for all hosts to it.
type fakeAPI struct {
	server *httptest.Server

	mu      sync.Mutex
	lines   []string // method, host and target of each request
	headers []http.Header
	bodies  []string
}

// newFakeAPI starts an API that records each request and then calls respond.
func newFakeAPI(t *testing.T, respond http.HandlerFunc) *fakeAPI {
	t.Helper()
	api := &fakeAPI{}
	api.server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			body = []byte(err.Error())
		}
		api.mu.Lock()
		api.lines = append(api.lines, r.Method+" "+r.Host+" "+r.RequestURI)
		api.headers = append(api.headers, r.Header)
		api.bodies = append(api.bodies, string(body))
		api.mu.Unlock()
		respond(w, r)
	}))
	t.Cleanup(api.server.Close)
	return api
}

// client returns a client whose requests reach the API, whatever their host is.
func (api *fakeAPI) client() *http.Client {
	transport := api.server.Client().Transport.(*http.Transport).Clone()
	transport.TLSClientConfig.ServerName = "example.com" // which the certificate of httptest names
	transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", api.server.Listener.Addr().String())
	}
	return &http.Client{Transport: transport}
}

// responding returns an API that responds with a status and a body.
func responding(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// purgers are the purgers of this package, with the body of a success.
var purgers = map[string]struct {
	success string
	open    func(*http.Client) (cdn.Purger, error)
}{
	"cloudflare": {`{"success":true,"errors":[],"result":{"id":"z"}}`, func(c *http.Client) (cdn.Purger, error) {
		return cdn.NewCloudflarePurger(cdn.CloudflareConfig{
			ZoneID:     "023e105f4ecef8ad9ca31a8372d0c353",
			Token:      token,
			HTTPClient: c,
		})
	}},
	"fastly": {`{"status":"ok","id":"108-1391560174-974124"}`, func(c *http.Client) (cdn.Purger, error) {
		return cdn.NewFastlyPurger(cdn.FastlyConfig{Token: token, HTTPClient: c})
	}},
	"bunny": {"", func(c *http.Client) (cdn.Purger, error) {
		return cdn.NewBunnyPurger(cdn.BunnyPurgeConfig{AccessKey: token, HTTPClient: c})
	}},
}

// Each purger sends the request that the documentation of its API shows.
func TestPurgersOnTheWire(t *testing.T) {
	tests := []struct {
		name       string
		wantLine   string // method, host and path
		wantHeader string // the name of the header with the token
		wantValue  string // of that header
		wantBody   string
	}{
		{
			name:       "cloudflare",
			wantLine:   "POST api.cloudflare.com /client/v4/zones/023e105f4ecef8ad9ca31a8372d0c353/purge_cache",
			wantHeader: "Authorization",
			wantValue:  "Bearer " + token,
			wantBody:   `{"files":["https://cdn.example.com/a%20b%3F"]}`,
		},
		{
			name:       "fastly",
			wantLine:   "POST api.fastly.com /purge/cdn.example.com/a%20b%3F",
			wantHeader: "Fastly-Key",
			wantValue:  token,
		},
		{
			name:       "bunny",
			wantLine:   "POST api.bunny.net /purge?url=https%3A%2F%2Fcdn.example.com%2Fa%2520b%253F",
			wantHeader: "Accesskey",
			wantValue:  token,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			api := newFakeAPI(t, responding(http.StatusOK, purgers[tt.name].success))
			p, err := purgers[tt.name].open(api.client())
			require.NoError(t, err)

			require.NoError(t, p.Purge(t.Context(), []string{"https://cdn.example.com/a%20b%3F"}))
			require.Equal(t, []string{tt.wantLine}, api.lines)
			require.Equal(t, []string{tt.wantValue}, api.headers[0][tt.wantHeader])
			require.Equal(t, []string{tt.wantBody}, api.bodies)

			if tt.wantBody != "" {
				require.Equal(t, "application/json", api.headers[0].Get("Content-Type"))
			}
			require.Empty(t, api.headers[0]["Fastly-Soft-Purge"])
		})
	}
}

// With Soft, the purger of Fastly marks URLs as stale in place of removing them.
func TestFastlySoftPurge(t *testing.T) {
	api := newFakeAPI(t, responding(http.StatusOK, purgers["fastly"].success))
	p, err := cdn.NewFastlyPurger(cdn.FastlyConfig{Token: token, Soft: true, HTTPClient: api.client()})
	require.NoError(t, err)

	require.NoError(t, p.Purge(t.Context(), []string{"https://cdn.example.com/a"}))
	require.Equal(t, "1", api.headers[0].Get("Fastly-Soft-Purge"))
}

// The purger of Cloudflare sends at most 100 URLs in a request.
func TestCloudflareTakesAHundredURLsInARequest(t *testing.T) {
	api := newFakeAPI(t, responding(http.StatusOK, purgers["cloudflare"].success))
	p, err := purgers["cloudflare"].open(api.client())
	require.NoError(t, err)

	require.NoError(t, p.Purge(t.Context(), manyURLs(201)))

	var sizes []int
	for _, body := range api.bodies {
		var request struct{ Files []string }
		require.NoError(t, json.Unmarshal([]byte(body), &request))
		sizes = append(sizes, len(request.Files))
	}
	require.Equal(t, []int{100, 100, 1}, sizes)
}

// manyURLs returns n URLs.
func manyURLs(n int) []string {
	urls := make([]string, n)
	for i := range urls {
		urls[i] = fmt.Sprintf("https://cdn.example.com/%03d", i)
	}
	return urls
}

// The purgers of Fastly and bunny.net send one request for each URL.
func TestPurgersTakeOneURLInARequest(t *testing.T) {
	const urls = 20
	for _, name := range []string{"fastly", "bunny"} {
		t.Run(name, func(t *testing.T) {
			api := newFakeAPI(t, responding(http.StatusOK, purgers[name].success))
			p, err := purgers[name].open(api.client())
			require.NoError(t, err)

			require.NoError(t, p.Purge(t.Context(), manyURLs(urls)))
			require.Len(t, api.lines, urls)

			require.NoError(t, p.Purge(t.Context(), nil))
			require.Len(t, api.lines, urls, "no URL needs no request")
		})
	}
}

// If an API fails or responds with nonsense, Purge fails with a code, and the error does not show the token.
func TestPurgersBrokenAPI(t *testing.T) {
	redirect := func(w http.ResponseWriter, r *http.Request) {
		if r.Host == "evil.example" {
			_, _ = io.WriteString(w, `{"success":true,"status":"ok"}`)
			return
		}
		http.Redirect(w, r, "https://evil.example/", http.StatusTemporaryRedirect)
	}
	longError := func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadGateway)
		for range 1 << 10 {
			_, _ = io.WriteString(w, strings.Repeat(token, 100))
		}
	}
	longSuccess := func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat(" ", 1<<20)+`{"success":true,"status":"ok"}`)
	}
	limited := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusTooManyRequests)
	}

	tests := []struct {
		name          string
		respond       http.HandlerFunc
		want          storage.Code
		wantTemporary bool
		except        string // a purger for which this response is a success
	}{
		{name: "a server error", respond: responding(500, "{}"), want: storage.Unavailable, wantTemporary: true},
		{
			name:          "a gateway's error of a megabyte, with the token",
			respond:       longError,
			want:          storage.Unavailable,
			wantTemporary: true,
		},
		{name: "too many requests", respond: limited, want: storage.RateLimited, wantTemporary: true},
		{
			name:    "a wrong token, which the response repeats",
			respond: responding(401, `{"errors":[{"message":"`+token+`"}]}`),
			want:    storage.Unauthenticated,
		},
		{
			name:    "a token without the permission",
			respond: responding(403, token),
			want:    storage.PermissionDenied,
		},
		{name: "no such zone", respond: responding(404, ""), want: storage.InvalidArgument},
		{name: "a redirect to another host", respond: redirect, want: storage.InvalidArgument},
		{
			name: "a success that reports a failure",
			respond: responding(200,
				`{"success":false,"status":"error","errors":[{"code":1012,"message":"`+token+`"}]}`),
			want:   storage.Internal,
			except: "bunny",
		},
		{
			name:          "a page in place of JSON",
			respond:       responding(200, "<html>"+token),
			want:          storage.Unavailable,
			wantTemporary: true,
			except:        "bunny",
		},
		{
			name:          "a success of a megabyte",
			respond:       longSuccess,
			want:          storage.Unavailable,
			wantTemporary: true,
			except:        "bunny",
		},
		{name: "an empty success", respond: responding(200, "{}"), want: storage.Internal, except: "bunny"},
	}
	for _, tt := range tests {
		for name, purger := range purgers {
			if name == tt.except {
				continue
			}
			t.Run(tt.name+"/"+name, func(t *testing.T) {
				// The caller's client would follow all redirects.
				api := newFakeAPI(t, tt.respond)
				client := api.client()
				client.CheckRedirect = func(*http.Request, []*http.Request) error { return nil }
				p, err := purger.open(client)
				require.NoError(t, err)

				err = p.Purge(t.Context(), []string{"https://cdn.example.com/a"})
				require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
				require.Equal(t, tt.wantTemporary, storage.IsTemporary(err))
				require.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, errors.Unwrap(err)), token)
				require.Len(t, api.lines, 1, "the token must go to one host only")

				if tt.want == storage.RateLimited {
					var storageErr *storage.Error
					require.ErrorAs(t, err, &storageErr)
					require.Equal(t, 7*time.Second, storageErr.RetryAfter)
				}
			})
		}
	}
}

// A roundTripper is an http.RoundTripper that responds without a server.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A hangingBody is the body of a response. It gives nothing until the request ends.
type hangingBody struct{ request context.Context }

func (b hangingBody) Read([]byte) (int, error) {
	<-b.request.Done()
	return 0, b.request.Err()
}

func (hangingBody) Close() error { return nil }

// If the API of a CDN sends no response, or no body, Purge fails with Unavailable after ten seconds.
func TestPurgersAPIHangs(t *testing.T) {
	tests := []struct {
		name  string
		hangs roundTripper
	}{
		{
			name: "no response",
			hangs: func(r *http.Request) (*http.Response, error) {
				<-r.Context().Done()
				return nil, r.Context().Err()
			},
		},
		{
			name: "no body",
			hangs: func(r *http.Request) (*http.Response, error) {
				return &http.Response{
					StatusCode: http.StatusOK,
					Body:       hangingBody{r.Context()},
					Request:    r,
				}, nil
			},
		},
	}
	for _, tt := range tests {
		for name, purger := range purgers {
			t.Run(tt.name+"/"+name, func(t *testing.T) {
				// The time of synctest passes at once.
				synctest.Test(t, func(t *testing.T) {
					p, err := purger.open(&http.Client{Transport: tt.hangs})
					require.NoError(t, err)

					start := time.Now()
					err = p.Purge(t.Context(), []string{"https://cdn.example.com/a"})
					require.ErrorIs(t, err, storage.Unavailable)
					require.True(t, storage.IsTemporary(err), "the caller still has time")
					require.Equal(t, 10*time.Second, time.Since(start))
				})
			})
		}
	}
}

// If ctx is canceled while an API does not respond, Purge fails with context.Canceled.
func TestPurgersCanceled(t *testing.T) {
	for name, purger := range purgers {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			api := newFakeAPI(t, func(_ http.ResponseWriter, r *http.Request) {
				cancel()
				<-r.Context().Done()
			})
			p, err := purger.open(api.client())
			require.NoError(t, err)

			err = p.Purge(ctx, []string{"https://cdn.example.com/a"})
			require.ErrorIs(t, err, context.Canceled)
		})
	}
}

// Purge fails with InvalidArgument for an invalid URL, and sends no request.
func TestPurgersCheckURLs(t *testing.T) {
	addresses := []string{
		"",
		"a",
		"/a",
		"ftp://cdn.example.com/a",
		"https:///a",
		"https://u:p@cdn.example.com/",
		"https://cdn.example.com/#a",
		"https://cdn.example.com/\n",
	}
	for name, purger := range purgers {
		t.Run(name, func(t *testing.T) {
			api := newFakeAPI(t, responding(http.StatusOK, purger.success))
			p, err := purger.open(api.client())
			require.NoError(t, err)
			for _, address := range addresses {
				err := p.Purge(t.Context(), []string{address})
				require.ErrorIs(t, err, storage.InvalidArgument, "%q", address)
			}
			require.Empty(t, api.lines)
		})
	}
}

// An incomplete or invalid configuration is refused, and the error does not show the token.
func TestPurgerConfigurationsAreChecked(t *testing.T) {
	tests := []struct {
		name      string
		open      func() (cdn.Purger, error)
		wantField string // that the error names
	}{
		{
			name: "no zone",
			open: func() (cdn.Purger, error) {
				return cdn.NewCloudflarePurger(cdn.CloudflareConfig{Token: token})
			},
			wantField: "ZoneID",
		},
		{
			name: "a zone that is a path",
			open: func() (cdn.Purger, error) {
				return cdn.NewCloudflarePurger(cdn.CloudflareConfig{ZoneID: "../user", Token: token})
			},
			wantField: "ZoneID",
		},
		{
			name: "no token of Cloudflare",
			open: func() (cdn.Purger, error) {
				return cdn.NewCloudflarePurger(cdn.CloudflareConfig{ZoneID: "z"})
			},
			wantField: "Token",
		},
		{
			name: "a token with a line",
			open: func() (cdn.Purger, error) {
				return cdn.NewFastlyPurger(cdn.FastlyConfig{Token: token + "\n"})
			},
			wantField: "Token",
		},
		{
			name: "no token of Fastly",
			open: func() (cdn.Purger, error) {
				return cdn.NewFastlyPurger(cdn.FastlyConfig{})
			},
			wantField: "Token",
		},
		{
			name: "no key of Bunny",
			open: func() (cdn.Purger, error) {
				return cdn.NewBunnyPurger(cdn.BunnyPurgeConfig{})
			},
			wantField: "AccessKey",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tt.open()
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.ErrorContains(t, err, "Config."+tt.wantField)
			require.NotContains(t, err.Error(), token)
		})
	}
}
