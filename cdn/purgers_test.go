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

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cdn"
)

const token = "token-of-a-test"

// A wire is a server with TLS to which every host leads. It keeps the requests.
type wire struct {
	server *httptest.Server

	mu      sync.Mutex
	lines   []string // method, host and target of each request
	headers []http.Header
	bodies  []string
}

func newWire(t *testing.T, respond http.HandlerFunc) *wire {
	t.Helper()
	w := &wire{}
	w.server = httptest.NewTLSServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			body = []byte(err.Error())
		}
		w.mu.Lock()
		w.lines = append(w.lines, r.Method+" "+r.Host+" "+r.RequestURI)
		w.headers = append(w.headers, r.Header)
		w.bodies = append(w.bodies, string(body))
		w.mu.Unlock()
		respond(out, r)
	}))
	t.Cleanup(w.server.Close)
	return w
}

func (w *wire) client() *http.Client {
	transport := w.server.Client().Transport.(*http.Transport).Clone()
	transport.TLSClientConfig.ServerName = "example.com" // which the certificate of httptest names
	transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", w.server.Listener.Addr().String())
	}
	return &http.Client{Transport: transport}
}

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

func TestPurgersOnTheWire(t *testing.T) {
	for _, row := range []struct {
		name, line, header, value, body string
	}{
		{
			"cloudflare", "POST api.cloudflare.com /client/v4/zones/023e105f4ecef8ad9ca31a8372d0c353/purge_cache",
			"Authorization", "Bearer " + token, `{"files":["https://cdn.example.com/a%20b%3F"]}`,
		},
		{"fastly", "POST api.fastly.com /purge/cdn.example.com/a%20b%3F", "Fastly-Key", token, ""},
		{"bunny", "POST api.bunny.net /purge?url=https%3A%2F%2Fcdn.example.com%2Fa%2520b%253F", "Accesskey", token, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWire(t, responding(http.StatusOK, purgers[row.name].success))
			p, err := purgers[row.name].open(w.client())
			require.NoError(t, err)
			require.NoError(t, p.Purge(t.Context(), []string{"https://cdn.example.com/a%20b%3F"}))
			require.Equal(t, []string{row.line}, w.lines)
			require.Equal(t, []string{row.value}, w.headers[0][row.header])
			require.Equal(t, []string{row.body}, w.bodies)
			if row.body != "" {
				require.Equal(t, "application/json", w.headers[0].Get("Content-Type"))
			}
			require.Empty(t, w.headers[0]["Fastly-Soft-Purge"])
		})
	}
}

func TestFastlySoftPurge(t *testing.T) {
	w := newWire(t, responding(http.StatusOK, purgers["fastly"].success))
	p, err := cdn.NewFastlyPurger(cdn.FastlyConfig{Token: token, Soft: true, HTTPClient: w.client()})
	require.NoError(t, err)
	require.NoError(t, p.Purge(t.Context(), []string{"https://cdn.example.com/a"}))
	require.Equal(t, "1", w.headers[0].Get("Fastly-Soft-Purge"))
}

func TestCloudflareTakesAHundredURLsInARequest(t *testing.T) {
	w := newWire(t, responding(http.StatusOK, purgers["cloudflare"].success))
	p, err := purgers["cloudflare"].open(w.client())
	require.NoError(t, err)
	require.NoError(t, p.Purge(t.Context(), manyURLs(201)))
	var sizes []int
	for _, body := range w.bodies {
		var sent struct{ Files []string }
		require.NoError(t, json.Unmarshal([]byte(body), &sent))
		sizes = append(sizes, len(sent.Files))
	}
	require.Equal(t, []int{100, 100, 1}, sizes)
}

func manyURLs(n int) []string {
	urls := make([]string, n)
	for i := range urls {
		urls[i] = fmt.Sprintf("https://cdn.example.com/%03d", i)
	}
	return urls
}

// The purgers of Fastly and bunny.net send each URL in its own request.
func TestPurgersTakeOneURLInARequest(t *testing.T) {
	for _, name := range []string{"fastly", "bunny"} {
		w := newWire(t, responding(http.StatusOK, purgers[name].success))
		p, err := purgers[name].open(w.client())
		require.NoError(t, err)
		require.NoError(t, p.Purge(t.Context(), manyURLs(20)))
		require.Len(t, w.lines, 20)
		require.NoError(t, p.Purge(t.Context(), nil))
		require.Len(t, w.lines, 20)
	}
}

func TestPurgersBrokenAPI(t *testing.T) {
	redirect := func(w http.ResponseWriter, r *http.Request) {
		if r.Host == "evil.example" {
			_, _ = io.WriteString(w, `{"success":true,"status":"ok"}`)
			return
		}
		http.Redirect(w, r, "https://evil.example/", http.StatusTemporaryRedirect)
	}
	huge := func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadGateway)
		for range 1 << 10 {
			_, _ = io.WriteString(w, strings.Repeat(token, 100))
		}
	}
	endless := func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat(" ", 1<<20)+`{"success":true,"status":"ok"}`)
	}
	limited := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusTooManyRequests)
	}
	for _, row := range []struct {
		name      string
		respond   http.HandlerFunc
		want      storage.Code
		temporary bool
		without   string // a purger that takes such a response
	}{
		{"a server error", responding(500, "{}"), storage.Unavailable, true, ""},
		{"a gateway's error of a megabyte, with the token", huge, storage.Unavailable, true, ""},
		{"too many requests", limited, storage.RateLimited, true, ""},
		{
			"a wrong token, which the response repeats", responding(401, `{"errors":[{"message":"`+token+`"}]}`),
			storage.Unauthenticated, false, "",
		},
		{"a token without the permission", responding(403, token), storage.PermissionDenied, false, ""},
		{"no such zone", responding(404, ""), storage.InvalidArgument, false, ""},
		{"a redirect to another host", redirect, storage.InvalidArgument, false, ""},
		{
			"a success that reports a failure",
			responding(200, `{"success":false,"status":"error","errors":[{"code":1012,"message":"`+token+`"}]}`),
			storage.Internal, false, "bunny",
		},
		{"a page in place of JSON", responding(200, "<html>"+token), storage.Unavailable, true, "bunny"},
		{"a success of a megabyte", endless, storage.Unavailable, true, "bunny"},
		{"an empty success", responding(200, "{}"), storage.Internal, false, "bunny"},
	} {
		for name, purger := range purgers {
			if name == row.without {
				continue
			}
			t.Run(row.name+"/"+name, func(t *testing.T) {
				w := newWire(t, row.respond)
				client := w.client()
				client.CheckRedirect = func(*http.Request, []*http.Request) error { return nil } // follows all
				p, err := purger.open(client)
				require.NoError(t, err)
				err = p.Purge(t.Context(), []string{"https://cdn.example.com/a"})
				require.Equal(t, row.want, storage.CodeOf(err), "%v", err)
				require.Equal(t, row.temporary, storage.IsTemporary(err))
				require.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, errors.Unwrap(err)), token)
				require.Len(t, w.lines, 1, "the token goes to one host")
				if row.want == storage.RateLimited {
					var e *storage.Error
					require.ErrorAs(t, err, &e)
					require.Equal(t, "7s", e.RetryAfter.String())
				}
			})
		}
	}
}

// A roundTripper is a connection that no server needs.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// If the API of a CDN does not respond, Purge fails with a temporary error with the Code Unavailable.
func TestPurgersAPIHangs(t *testing.T) {
	for name, purger := range purgers {
		synctest.Test(t, func(t *testing.T) {
			hangs := roundTripper(func(r *http.Request) (*http.Response, error) {
				<-r.Context().Done()
				return nil, r.Context().Err()
			})
			p, err := purger.open(&http.Client{Transport: hangs})
			require.NoError(t, err)
			err = p.Purge(t.Context(), []string{"https://cdn.example.com/a"})
			require.ErrorIs(t, err, storage.Unavailable, name)
			require.True(t, storage.IsTemporary(err), "the caller still has time")
		})
	}
}

func TestPurgersCanceled(t *testing.T) {
	for name, purger := range purgers {
		ctx, cancel := context.WithCancel(t.Context())
		w := newWire(t, func(_ http.ResponseWriter, r *http.Request) {
			cancel()
			<-r.Context().Done()
		})
		p, err := purger.open(w.client())
		require.NoError(t, err)
		require.ErrorIs(t, p.Purge(ctx, []string{"https://cdn.example.com/a"}), context.Canceled, name)
	}
}

// If a URL is invalid, Purge fails with InvalidArgument and sends no request.
func TestPurgersCheckURLs(t *testing.T) {
	for name, purger := range purgers {
		w := newWire(t, responding(http.StatusOK, purger.success))
		p, err := purger.open(w.client())
		require.NoError(t, err)
		for _, address := range []string{"", "a", "/a", "ftp://cdn.example.com/a", "https:///a", "https://u:p@cdn.example.com/", "https://cdn.example.com/#a", "https://cdn.example.com/\n"} {
			require.ErrorIs(t, p.Purge(t.Context(), []string{address}), storage.InvalidArgument, "%s %q", name, address)
		}
		require.Empty(t, w.lines)
	}
}

func TestPurgerConfigurationsAreChecked(t *testing.T) {
	for _, row := range []struct {
		name, says string
		open       func() (cdn.Purger, error)
	}{
		{
			"no zone", "ZoneID",
			func() (cdn.Purger, error) { return cdn.NewCloudflarePurger(cdn.CloudflareConfig{Token: token}) },
		},
		{"a zone that is a path", "ZoneID", func() (cdn.Purger, error) {
			return cdn.NewCloudflarePurger(cdn.CloudflareConfig{ZoneID: "../user", Token: token})
		}},
		{
			"no token of Cloudflare", "Token",
			func() (cdn.Purger, error) { return cdn.NewCloudflarePurger(cdn.CloudflareConfig{ZoneID: "z"}) },
		},
		{
			"a token with a line", "Token",
			func() (cdn.Purger, error) { return cdn.NewFastlyPurger(cdn.FastlyConfig{Token: token + "\n"}) },
		},
		{"no token of Fastly", "Token", func() (cdn.Purger, error) { return cdn.NewFastlyPurger(cdn.FastlyConfig{}) }},
		{
			"no key of Bunny", "AccessKey",
			func() (cdn.Purger, error) { return cdn.NewBunnyPurger(cdn.BunnyPurgeConfig{}) },
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := row.open()
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.ErrorContains(t, err, "Config."+row.says)
			require.NotContains(t, err.Error(), token)
		})
	}
}
