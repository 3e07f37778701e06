package console_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/objectkey"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/serve/console"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const origin = "http://127.0.0.1:8080"

// A fixture is a page for one bucket in memory.
type fixture struct {
	bucket storage.Bucket
	page   *console.Handler
	base   string // of addresses, such as /token
}

// newFixture returns a fixture with a new bucket in memory.
func newFixture(t *testing.T, c console.Config, opts ...storage.OpenOption) *fixture {
	t.Helper()
	return newFixtureOf(t, memstore.New(opts...), c)
}

// newFixtureOf returns a fixture whose console shows the bucket b.
func newFixtureOf(t *testing.T, b storage.Bucket, c console.Config) *fixture {
	t.Helper()
	page, err := console.New(console.One(storage.BucketInfo{Name: "photos"}, b), c)
	require.NoError(t, err)
	f := &fixture{bucket: b, page: page}
	if c.Token != "" {
		f.base = "/" + c.Token
	}
	return f
}

// put stores an object.
func (f *fixture) put(t *testing.T, key, text string, opts ...storage.UploadOption) {
	t.Helper()
	_, err := f.bucket.Upload(t.Context(), key, strings.NewReader(text), opts...)
	require.NoError(t, err)
}

// putMarker stores an empty object for a folder, as the console of a provider does.
func (f *fixture) putMarker(t *testing.T, key string) {
	t.Helper()
	f.put(t, "marker of a folder", "")
	_, err := storage.Copy(objectkey.AllowFolderMarker(t.Context()), f.bucket, key, f.bucket,
		"marker of a folder")
	require.NoError(t, err)
	require.NoError(t, f.bucket.Remove(t.Context(), "marker of a folder"))
}

// content returns the content of an object.
func (f *fixture) content(t *testing.T, key string) string {
	t.Helper()
	text, _, err := storage.ReadAll(t.Context(), f.bucket, key)
	require.NoError(t, err)
	return string(text)
}

// send sends a request as the page's script does. If change is not nil, send first calls it with
// the request.
func (f *fixture) send(
	method, target string, body []byte, change func(*http.Request),
) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, origin+f.base+target, bytes.NewReader(body))
	r.Header.Set("X-Console", "1")
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	f.page.ServeHTTP(w, r)
	return w
}

// visit sends a GET as the page's script does. The functions in changes first change the request.
func (f *fixture) visit(target string, changes ...func(*http.Request)) *httptest.ResponseRecorder {
	return f.send("GET", target, nil, func(r *http.Request) {
		for _, change := range changes {
			change(r)
		}
	})
}

// get requests a view of the API, and decodes the JSON of the response into dst. query alternates
// between names and values.
func (f *fixture) get(t *testing.T, view string, dst any, query ...string) {
	t.Helper()
	q := url.Values{"bucket": {"photos"}}
	for i := 0; i < len(query); i += 2 {
		q.Set(query[i], query[i+1])
	}
	w := f.visit("/api/" + view + "?" + q.Encode())
	require.Equal(t, 200, w.Code, w.Body)
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), dst))
}

// call calls a function of the API with a document, and returns the status and the response.
func (f *fixture) call(
	t *testing.T, method, name string, document map[string]any,
) (status int, answer map[string]any) {
	t.Helper()
	document["bucket"] = "photos"
	body, err := json.Marshal(document)
	require.NoError(t, err)
	w := f.send(method, "/api/"+name, body, nil)
	_ = json.Unmarshal(w.Body.Bytes(), &answer)
	return w.Code, answer
}

type list struct {
	Entries []struct {
		Key, Revision, Version string
		Folder                 bool
		Size                   int64
	}
	Next    string
	Partial bool
}

// keys returns the keys of a listing.
func (l list) keys() []string {
	keys := []string{}
	for _, e := range l.Entries {
		keys = append(keys, e.Key)
	}
	return keys
}

type object struct {
	Key, Type, Kind, View, Download, Revision string
	Size                                      int64
	Metadata, Tags, Attributes                [][2]string
}

// clockAt returns a clock that always shows this hour of one day.
func clockAt(hour int) func() time.Time {
	return func() time.Time {
		return time.Date(2026, 11, 29, hour, 0, 0, 0, time.UTC)
	}
}
