package uploads_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/internal/testing/wrapped"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

const (
	allowedBytes = 10_000
	allowedFiles = 6
)

// A sentBy is how a file comes. It returns the code of the error or of the response, "" if the file is stored, and
// something else if the process was killed.
type sentBy struct {
	name string
	send func(t *testing.T, p *process, data []byte) string
}

// A process is one of those that serve a bucket.
type process struct {
	ctx     context.Context
	service *uploads.Service
	store   storage.Bucket // the bucket as the clients of signed addresses see it, which no kill ends
}

// ask makes a request of alice.
func (p *process) ask(
	method, target string, body []byte, pairs ...string,
) (status int, header http.Header, text []byte) {
	r := httptest.NewRequestWithContext(p.ctx, method, "http://site.invalid"+target, bytes.NewReader(body))
	r.Header.Set("X-User", alice)
	for i := 0; i < len(pairs); i += 2 {
		r.Header.Set(pairs[i], pairs[i+1])
	}
	w := httptest.NewRecorder()
	p.service.ServeHTTP(w, r)
	return w.Code, w.Header(), w.Body.Bytes()
}

// codeIn returns the code in a response, or "" for a success.
func codeIn(status int, text []byte) string {
	var problem struct{ Code string }
	if status >= 300 && json.Unmarshal(text, &problem) != nil {
		return strconv.Itoa(status)
	}
	return problem.Code
}

func codeOfError(err error) string {
	if err == nil {
		return ""
	}
	return string(uploads.CodeOf(err))
}

func pathOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return u.RequestURI()
}

// sendTus sends a file by tus; length is "" for a length that is said at the end.
func sendTus(p *process, data []byte, sized bool) string {
	pairs := []string{"Tus-Resumable", "1.0.0", "Upload-Length", size(data)}
	if !sized {
		pairs[2], pairs[3] = "Upload-Defer-Length", "1"
	}
	status, header, text := p.ask("POST", "/tus/", nil, pairs...)
	if status >= 300 {
		return codeIn(status, text)
	}
	extra := []string{
		"Tus-Resumable", "1.0.0", "Upload-Offset", "0", "Content-Type", "application/offset+octet-stream",
		"Upload-Length", size(data),
	}
	if sized {
		extra = extra[:6]
	}
	status, _, text = p.ask("PATCH", pathOf(header.Get("Location")), data, extra...)
	return codeIn(status, text)
}

func sendParts(t *testing.T, p *process, data []byte, sized bool) string {
	begin := map[string]any{"filename": "file"}
	if sized {
		begin["size"] = len(data)
	}
	body, err := json.Marshal(begin)
	require.NoError(t, err)
	status, _, text := p.ask("POST", "/s3/multipart", body, "Content-Type", "application/json")
	if status >= 300 {
		return codeIn(status, text)
	}
	var u begun
	require.NoError(t, json.Unmarshal(text, &u))
	path := "/s3/multipart/" + u.UploadID
	key := "?key=" + url.QueryEscape(u.Key)
	status, _, text = p.ask("GET", path+"/1"+key, nil)
	if status >= 300 {
		return codeIn(status, text)
	}
	var part signedPart
	require.NoError(t, json.Unmarshal(text, &part))
	status, header, text := p.ask(part.Method, pathOf(part.URL), data)
	if status >= 300 {
		return codeIn(status, text)
	}
	parts, err := json.Marshal(map[string]any{"parts": []sentPart{{1, header.Get("ETag")}}})
	require.NoError(t, err)
	status, _, text = p.ask("POST", path+"/complete"+key, parts, "Content-Type", "application/json")
	return codeIn(status, text)
}

func sendJoined(p *process, data []byte) string {
	final := "final;"
	for _, piece := range [][]byte{data[:len(data)/2], data[len(data)/2:]} {
		status, header, text := p.ask("POST", "/tus/", piece, "Tus-Resumable", "1.0.0", "Upload-Length", size(piece),
			"Upload-Concat", "partial", "Content-Type", "application/offset+octet-stream")
		if status >= 300 {
			return codeIn(status, text)
		}
		final += header.Get("Location") + " "
	}
	status, _, text := p.ask("POST", "/tus/", nil, "Tus-Resumable", "1.0.0", "Upload-Concat", strings.TrimSpace(final))
	return codeIn(status, text)
}

func sendTicket(t *testing.T, p *process, data []byte, sized bool) string {
	req := uploads.Request{}
	user := uploads.User{ID: alice}
	if sized {
		req.Size = int64(len(data))
	}
	ticket, err := p.service.Sign(p.ctx, req, user)
	if err != nil {
		return codeOfError(err)
	}
	client := context.WithValue(p.ctx, endingKey{}, nil) // it lives on
	_, err = p.store.Upload(
		client,
		pendingOf(ticket),
		bytes.NewReader(data),
		storage.WithContentType("application/octet-stream"),
	)
	require.NoError(t, err)
	_, err = p.service.Finish(p.ctx, ticket.Token, user)
	return codeOfError(err)
}

func sendTwoPieces(t *testing.T, p *process, data []byte) (code string) {
	token := strconv.FormatInt(time.Now().UnixNano(), 36)
	for i, body := range [][]byte{data[:len(data)/2], data[len(data)/2:]} {
		_, err := p.service.PutPiece(p.ctx, uploads.Piece{
			Token:  token,
			Count:  2,
			Number: i + 1,
			Body:   bytes.NewReader(body),
			User:   uploads.User{ID: alice},
			Name:   "a",
		})
		if err != nil {
			return codeOfError(err)
		}
	}
	return ""
}

var everyWay = []sentBy{
	{"Store", func(t *testing.T, p *process, data []byte) string {
		_, err := p.service.Store(p.ctx, uploads.Upload{
			Body: bytes.NewReader(data),
			Size: int64(len(data)),
			User: uploads.User{ID: alice},
		})
		return codeOfError(err)
	}},
	{"Store, of unknown size", func(t *testing.T, p *process, data []byte) string {
		_, err := p.service.Store(
			p.ctx,
			uploads.Upload{Body: io.MultiReader(bytes.NewReader(data)), User: uploads.User{ID: alice}},
		)
		return codeOfError(err)
	}},
	{"a form", func(t *testing.T, p *process, data []byte) string {
		body, kind := newForm(t, formFile{"file", "a", "", string(data)})
		status, _, text := p.ask("POST", "/", body.Bytes(), "Content-Type", kind)
		return codeIn(status, text)
	}},
	{"a ticket", func(t *testing.T, p *process, data []byte) string { return sendTicket(t, p, data, true) }},
	{
		"a ticket, of unknown size",
		func(t *testing.T, p *process, data []byte) string { return sendTicket(t, p, data, false) },
	},
	{"parts", func(t *testing.T, p *process, data []byte) string { return sendParts(t, p, data, true) }},
	{
		"parts, of unknown size",
		func(t *testing.T, p *process, data []byte) string { return sendParts(t, p, data, false) },
	},
	{"one request of S3", func(t *testing.T, p *process, data []byte) string {
		status, _, text := p.ask("GET", "/s3/params?filename=a", nil)
		if status >= 300 {
			return codeIn(status, text)
		}
		var part signedPart
		require.NoError(t, json.Unmarshal(text, &part))
		status, _, text = p.ask("PUT", pathOf(part.URL), data)
		return codeIn(status, text)
	}},
	{"tus", func(_ *testing.T, p *process, data []byte) string { return sendTus(p, data, true) }},
	{"tus, of unknown length", func(_ *testing.T, p *process, data []byte) string { return sendTus(p, data, false) }},
	{"joined uploads of tus", func(_ *testing.T, p *process, data []byte) string { return sendJoined(p, data) }},
	{"pieces", sendTwoPieces},
}

// An account is a store with services that share the allowance of alice.
type account struct {
	t      *testing.T
	open   func(t *testing.T, now *clock) driver.Driver
	drv    driver.Driver
	shared storage.Bucket // of all processes, in place of drv
	now    *clock
	record bool
	change func(*uploads.Config) // may be nil
}

var accounts = []struct {
	name string
	open func(t *testing.T, now *clock) driver.Driver
}{
	{
		"memory",
		func(_ *testing.T, now *clock) driver.Driver { return memstore.NewDriver(memstore.Config{Now: now.Now}) },
	},
	{"a directory", func(t *testing.T, _ *clock) driver.Driver {
		d, err := local.NewDriver(t.TempDir(), local.Config{NoSync: true})
		require.NoError(t, err)
		return d
	}},
}

// runOnAccounts runs f on stores with and without records.
func runOnAccounts(t *testing.T, f func(t *testing.T, a *account)) {
	for _, b := range testserver.Sample(accounts[:1], accounts) {
		for _, record := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, records: %v", b.name, record), func(t *testing.T) {
				f(t, &account{t: t, open: b.open, record: record})
			})
		}
	}
}

// renew begins with an empty store.
func (a *account) renew() {
	a.now = &clock{}
	if a.shared == nil {
		a.drv = a.open(a.t, a.now)
		return
	}
	_, err := storage.RemoveMatching(a.t.Context(), a.shared, nil)
	require.NoError(a.t, err)
}

func (a *account) bucket(opts ...driver.Layer) storage.Bucket {
	if a.shared != nil {
		return wrapped.Clock(a.t, a.shared, a.now.Now)
	}
	all := []storage.OpenOption{
		storage.WithRetry(storage.RetryPolicy{Attempts: 1}), storage.WithSigningBaseURL("http://store.invalid"),
	}
	for _, layer := range opts {
		all = append(all, driver.WithLayer(layer))
	}
	return wrapped.Clock(a.t, engine.New(a.drv, all...), a.now.Now)
}

func (a *account) process(opts ...driver.Layer) *process {
	b := a.bucket(opts...)
	c := uploads.Config{
		Rules:        rules.Any(1 << 20),
		Key:          "{user}/{random}{ext}",
		ProxyParts:   true,
		Now:          a.now.Now,
		TokenKey:     make([]byte, 32),
		BaseURL:      "http://site.invalid",
		DeleteShared: true,
		Authorize:    func(r *http.Request) (uploads.User, error) { return uploads.User{ID: r.Header.Get("X-User")}, nil },
		Allowance: func(context.Context, uploads.User) (uploads.Allowance, error) {
			return uploads.Allowance{Bytes: allowedBytes, Files: allowedFiles}, nil
		},
	}
	if a.record {
		c.Key, c.Records = "", uploads.BucketRecords(b)
	}
	if a.change != nil {
		a.change(&c)
	}
	s, err := uploads.New(b, c)
	require.NoError(a.t, err)
	return &process{a.t.Context(), s, a.bucket()}
}

// files returns the keys and the size of what is stored.
func (a *account) files() (keys []string, bytes int64) {
	prefix := alice + "/"
	if a.record {
		prefix = "files/content/"
	}
	for entry, err := range a.bucket().List(a.t.Context(), storage.WithPrefix(prefix)) {
		require.NoError(a.t, err)
		keys = append(keys, entry.Key)
		bytes += entry.Size
	}
	return keys, bytes
}

// keepsWithin requires that no more is stored than is counted, and that no more is counted than is allowed.
func (a *account) keepsWithin(p *process, about ...any) {
	a.t.Helper()
	keys, bytes := a.files()

	u, err := p.service.Usage(a.t.Context(), alice)
	require.NoError(a.t, err)
	require.LessOrEqual(a.t, bytes, u.Bytes+u.ReservedBytes, about...)
	require.LessOrEqual(a.t, int64(len(keys)), u.Files+u.ReservedFiles, about...)
	require.LessOrEqual(a.t, u.Bytes+u.ReservedBytes, int64(allowedBytes), about...)
	require.LessOrEqual(a.t, u.Files+u.ReservedFiles, int64(allowedFiles), about...)
}

// isExactAfterASweep lets everything expire.
func (a *account) isExactAfterASweep(p *process, about ...any) {
	a.t.Helper()
	a.now.Advance(200 * time.Hour)
	_, err := p.service.Sweep(a.t.Context())
	require.NoError(a.t, err, about...)
	keys, bytes := a.files()

	u, err := p.service.Usage(a.t.Context(), alice)
	require.NoError(a.t, err)
	require.Equal(a.t, uploads.Usage{Bytes: bytes, Files: int64(len(keys))}, u, about...)
}

// Config.Allowance limits each way of uploading.
func TestAllowanceHoldsForAllWays(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, a *account) {
		for _, w := range everyWay {
			t.Run(w.name, func(t *testing.T) {
				a.t = t
				a.renew()

				p := a.process()
				require.Empty(t, w.send(t, p, content(6000)))
				require.Contains(t, []string{"over_allowance", "too_large"}, w.send(t, p, content(6000)))
				a.keepsWithin(p)

				u, err := p.service.Usage(t.Context(), alice)
				require.NoError(t, err)
				require.EqualValues(t, 6000, u.Bytes)
				require.EqualValues(t, 1, u.Files)
				a.isExactAfterASweep(p)

				for range allowedFiles - 1 {
					require.Empty(t, w.send(t, p, content(500)))
				}
				require.Equal(t, "over_allowance", w.send(t, p, content(500)), "too many files")

				keys, _ := a.files()
				require.NoError(t, p.service.Delete(t.Context(), keys[0], uploads.User{ID: alice}))
				require.NoError(t, p.service.Delete(t.Context(), keys[0], uploads.User{ID: alice}), "again")
				require.Empty(t, w.send(t, p, content(500)), "there is room again")
				a.isExactAfterASweep(p)
			})
		}
	})
}

// A process is killed at each of its calls to the store in turn, while it takes a file and while it removes one. The
// stored bytes never exceed the allowance, whatever other processes do then, and one Sweep makes the count exact.
func TestAllowanceSurvivesKills(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, a *account) {
		for _, w := range everyWay {
			for _, afterCall := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, after the call: %v", w.name, afterCall), func(t *testing.T) {
					a.t = t
					for i, alive := 1, false; !alive; i++ {
						require.Less(t, i, 80)
						a.renew()
						d := &ending{at: i, after: afterCall}
						other := a.process()
						require.Empty(t, everyWay[0].send(t, other, content(1000)))

						mortal := a.process(d.layer)
						w.send(t, mortal, content(3000))
						a.keepsWithin(other, "killed at call %d", i)

						for range 8 {
							everyWay[0].send(t, other, content(1500))
							a.keepsWithin(other, "killed at call %d", i)
						}
						a.isExactAfterASweep(other, "killed at call %d", i)
						alive = !d.reached()
					}
				})
			}
		}
	})
}

// If a process is killed at any call of a Delete, the count stays within the allowance. A second Delete and one
// Sweep make it exact.
func TestAllowanceSurvivesKillsOfRemovals(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, a *account) {
		for _, afterCall := range []bool{false, true} {
			for i, alive := 1, false; !alive; i++ {
				require.Less(t, i, 40)
				a.renew()
				d := &ending{at: i, after: afterCall}
				other := a.process()
				mortal := a.process(d.layer)
				for range 3 {
					require.Empty(t, everyWay[0].send(t, other, content(3000)))
				}

				keys, _ := a.files()
				_ = mortal.service.Delete(t.Context(), keys[0], uploads.User{ID: alice})
				a.keepsWithin(other, "killed at call %d", i)

				require.NoError(t, other.service.Delete(t.Context(), keys[0], uploads.User{ID: alice}))
				a.keepsWithin(other, "killed at call %d", i)
				everyWay[0].send(t, other, content(3000))
				a.keepsWithin(other, "killed at call %d", i)
				a.isExactAfterASweep(other, "killed at call %d", i)
				alive = !d.reached()
			}
		}
	})
}

// If the response to any one call to the store is lost, the count still stays within the allowance.
func TestAllowanceSurvivesLostResponses(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, a *account) {
		for _, w := range everyWay {
			t.Run(w.name, func(t *testing.T) {
				a.t = t
				for i, lost := 1, true; lost; i++ {
					require.Less(t, i, 80)
					a.renew()
					var calls atomic.Int32
					p := a.process(func(next driver.Driver) driver.Driver {
						return driver.Intercept(
							next,
							func(ctx context.Context, _ string, next func(context.Context) error) error {
								if err := next(ctx); err != nil || int(calls.Add(1)) != i {
									return err
								}
								return &storage.Error{Code: storage.Unavailable, Unknown: true}
							},
						)
					})
					other := a.process()
					w.send(t, p, content(3000))
					a.keepsWithin(other, "at call %d", i)

					w.send(t, p, content(3000))
					a.keepsWithin(other, "at call %d", i)
					if keys, _ := a.files(); len(keys) > 0 {
						_ = p.service.Delete(t.Context(), keys[0], uploads.User{ID: alice})
						a.keepsWithin(other, "at call %d", i)
					}
					a.isExactAfterASweep(other, "at call %d", i)
					lost = int(calls.Load()) >= i
				}
			})
		}
	})
}

// A meddler lets another process act before a call to the store with this number.
func meddler(i int, act func()) (layer driver.Layer, reached func() bool) {
	var calls atomic.Int32
	return func(next driver.Driver) driver.Driver {
		return driver.Intercept(next, func(ctx context.Context, call string, next func(context.Context) error) error {
			if int(calls.Add(1)) == i {
				act()
			}
			return next(ctx)
		})
	}, func() bool { return int(calls.Load()) >= i }
}

// If another process removes a file at any moment of a Delete of that file, the file is subtracted once.
func TestAllowanceFileRemovedTwice(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, a *account) {
		for i, meddled := 1, true; meddled; i++ {
			require.Less(t, i, 40)
			a.renew()
			other := a.process()
			for range 3 {
				require.Empty(t, everyWay[0].send(t, other, content(1000)))
			}

			keys, _ := a.files()
			layer, reached := meddler(i, func() {
				require.NoError(t, other.service.Delete(t.Context(), keys[0], uploads.User{ID: alice}))
			})
			require.NoError(t, a.process(layer).service.Delete(t.Context(), keys[0], uploads.User{ID: alice}))
			a.keepsWithin(other, "at call %d", i)

			u, err := other.service.Usage(t.Context(), alice)
			require.NoError(t, err)
			require.Equal(t, uploads.Usage{Bytes: 2000, Files: 2}, u, "at call %d", i)
			meddled = reached()
		}
	})
}

// If another process stores or removes a file at any moment of a Recount, the count is exact afterwards.
func TestRecountWhileFilesComeAndGo(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, a *account) {
		for _, removes := range []bool{false, true} {
			for i, meddled := 1, true; meddled; i++ {
				require.Less(t, i, 40)
				a.renew()
				other := a.process()
				for range 3 {
					require.Empty(t, everyWay[0].send(t, other, content(1000)))
				}

				keys, _ := a.files()
				layer, reached := meddler(i, func() {
					if removes {
						require.NoError(t, other.service.Delete(t.Context(), keys[1], uploads.User{ID: alice}))
					} else {
						require.Empty(t, everyWay[0].send(t, other, content(500)))
					}
				})
				_, err := a.process(layer).service.Recount(t.Context(), alice)
				require.NoError(t, err)
				keys, bytes := a.files()
				u, err := other.service.Usage(t.Context(), alice)
				require.NoError(t, err)
				require.Equal(t, uploads.Usage{Bytes: bytes, Files: int64(len(keys))}, u, "at call %d", i)
				meddled = reached()
			}
		}
	})
}

// If another process recounts at any moment of an upload, the uploaded file is counted exactly once.
func TestRecountDuringUpload(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, a *account) {
		for _, w := range everyWay {
			t.Run(w.name, func(t *testing.T) {
				a.t = t
				for i, meddled := 1, true; meddled; i++ {
					require.Less(t, i, 80)
					a.renew()
					other := a.process()
					layer, reached := meddler(i, func() {
						_, err := other.service.Recount(t.Context(), alice)
						require.NoError(t, err)
						a.keepsWithin(other, "at call %d", i)
					})
					require.Empty(t, w.send(t, a.process(layer), content(3000)), "at call %d", i)

					u, err := other.service.Usage(t.Context(), alice)
					require.NoError(t, err)
					require.Equal(t, uploads.Usage{Bytes: 3000, Files: 1}, u, "at call %d", i)
					meddled = reached()
				}
			})
		}
	})
}

// An upload that ends without a file gives its room back at once.
func TestAllowanceOfUploadWithoutFile(t *testing.T) {
	refuse := func(context.Context, *uploads.File, *storage.ReaderAt) error { return &uploads.Error{Message: "No."} }
	refusing := func(c *uploads.Config) {
		c.Inspect = refuse
	}
	tus := []string{"Tus-Resumable", "1.0.0", "Upload-Length", "3000"}
	tests := []struct {
		name   string
		change func(*uploads.Config)
		do     func(t *testing.T, p *process)
	}{
		{"tus, ended by the client", nil, func(t *testing.T, p *process) {
			_, header, _ := p.ask("POST", "/tus/", nil, tus...)
			status, _, _ := p.ask("DELETE", pathOf(header.Get("Location")), nil, tus[:2]...)
			require.Equal(t, http.StatusNoContent, status)
		}},
		{"parts, ended by the client", nil, func(t *testing.T, p *process) {
			begin := []byte(`{"filename":"a","size":3000}`)
			_, _, text := p.ask("POST", "/s3/multipart", begin, "Content-Type", "application/json")
			var u begun
			require.NoError(t, json.Unmarshal(text, &u))
			status, _, _ := p.ask("DELETE", "/s3/multipart/"+u.UploadID+"?key="+u.Key, nil)
			require.Equal(t, http.StatusOK, status)
		}},
		{"a file of another size", nil, func(t *testing.T, p *process) {
			_, err := p.service.Store(t.Context(), uploads.Upload{
				Body: strings.NewReader("abc"),
				Size: 3000,
				User: uploads.User{ID: alice},
			})
			require.Equal(t, uploads.WrongSize, uploads.CodeOf(err))
		}},
		{"content that is refused, of Store", refusing, func(t *testing.T, p *process) {
			require.Equal(t, "refused", everyWay[0].send(t, p, content(3000)))
		}},
		{"content that is refused, of tus", refusing, func(t *testing.T, p *process) {
			require.Equal(t, "refused", sendTus(p, content(3000), true))
		}},
		{"content that is refused, of pieces", refusing, func(t *testing.T, p *process) {
			require.Equal(t, "refused", sendTwoPieces(t, p, content(3000)))
		}},
		{"a file that the application does not want", func(c *uploads.Config) {
			c.Stored = func(context.Context, *uploads.File) error { return storage.PermissionDenied }
		}, func(t *testing.T, p *process) {
			require.Equal(t, "not_allowed", everyWay[0].send(t, p, content(3000)))
		}},
		{"a form whose second file has no room", nil, func(t *testing.T, p *process) {
			data := string(content(6000))
			body, kind := newForm(t, formFile{"a", "a", "", data}, formFile{"b", "b", "", data})
			status, _, text := p.ask("POST", "/", body.Bytes(), "Content-Type", kind)
			require.Contains(t, []string{"over_allowance", "too_large"}, codeIn(status, text))
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			runOnAccounts(t, func(t *testing.T, a *account) {
				a.renew()
				a.change = tt.change
				p := a.process()
				tt.do(t, p)

				u, err := p.service.Usage(t.Context(), alice)
				require.NoError(t, err)
				require.Zero(t, u)

				keys, _ := a.files()
				require.Empty(t, keys)
			})
		})
	}
}

// With Config.Allowance, an upload in most ways costs two more requests to the store, once the process knows the
// user's ledger.
func TestAllowanceCostsTwoRequests(t *testing.T) {
	for _, w := range everyWay {
		t.Run(w.name, func(t *testing.T) {
			a := &account{t: t, open: accounts[0].open}
			requests := func(counted bool) (n int) {
				a.renew()
				a.change = func(c *uploads.Config) {
					c.Stored = func(context.Context, *uploads.File) error { return nil }
					if !counted {
						c.Allowance = nil
					}
				}

				var calls atomic.Int32
				p := a.process(func(next driver.Driver) driver.Driver {
					return driver.Intercept(
						next,
						func(ctx context.Context, _ string, next func(context.Context) error) error {
							calls.Add(1)
							return next(ctx)
						},
					)
				})
				require.Empty(t, w.send(t, p, content(1000)))

				calls.Store(0)
				require.Empty(t, w.send(t, p, content(1000)))
				return int(calls.Load())
			}
			extra := 2
			if w.name == "joined uploads of tus" { // three uploads, of which two are pieces
				extra = 4
			}
			if w.name == "one request of S3" { // its state says that room is reserved, after the claim
				extra = 3
			}

			require.Equal(t, requests(false)+extra, requests(true))
		})
	}
}

// New refuses Config.Allowance unless Config.Key has {user}. Without Allowance, Usage and Recount fail with
// NotAllowed.
func TestAllowanceNeedsUserInKey(t *testing.T) {
	allowance := func(context.Context, uploads.User) (uploads.Allowance, error) { return uploads.Allowance{}, nil }
	_, err := uploads.New(memstore.New(), uploads.Config{Allowance: allowance})
	require.ErrorIs(t, err, storage.InvalidArgument)
	require.ErrorContains(t, err, "{user}")

	_, err = uploads.New(memstore.New(), uploads.Config{Allowance: allowance, Key: "files/usage/{user}/{random}"})
	require.ErrorIs(t, err, storage.InvalidArgument)
	_, err = uploads.New(memstore.New(), uploads.Config{Allowance: allowance, Key: "{user}/{random}", Unguarded: true})
	require.NoError(t, err)
	s, err := uploads.New(memstore.New(), uploads.Config{})
	require.NoError(t, err)
	_, err = s.Usage(t.Context(), alice)
	require.Equal(t, uploads.NotAllowed, uploads.CodeOf(err))

	_, err = s.Recount(t.Context(), alice)
	require.Equal(t, uploads.NotAllowed, uploads.CodeOf(err))
}

// If Allowance returns an error or too small an Allowance, the upload fails with the matching code.
func TestAllowanceErrors(t *testing.T) {
	tests := []struct {
		name string
		give uploads.Allowance
		err  error
		want string
	}{
		{name: "nothing is bounded", give: uploads.Allowance{}, want: ""},
		{name: "no bytes", give: uploads.Allowance{Bytes: -1}, want: "over_allowance"},
		{name: "no files", give: uploads.Allowance{Files: -1}, want: "over_allowance"},
		{name: "bytes enough", give: uploads.Allowance{Bytes: 1000}, want: ""},
		{name: "a byte too few", give: uploads.Allowance{Bytes: 999}, want: "over_allowance"},
		{name: "the user may not", give: uploads.Allowance{}, err: storage.PermissionDenied, want: "not_allowed"},
		{name: "the database does not answer", give: uploads.Allowance{}, err: storage.Unavailable, want: "busy"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := &account{
				t:    t,
				open: accounts[0].open,
				change: func(c *uploads.Config) {
					c.Allowance = func(_ context.Context, user uploads.User) (uploads.Allowance, error) {
						require.Equal(t, alice, user.ID)
						return tt.give, tt.err
					}
				},
			}
			a.renew()
			require.Equal(t, tt.want, everyWay[0].send(t, a.process(), content(1000)))
		})
	}
}

// The files of a form do not say their sizes, so a form reserves no more than the length of its request.
func TestAllowanceReservesLengthOfForm(t *testing.T) {
	var during uploads.Usage
	a := &account{t: t, open: accounts[0].open}
	var s *uploads.Service
	a.change = func(c *uploads.Config) {
		c.Inspect = func(ctx context.Context, _ *uploads.File, _ *storage.ReaderAt) (err error) {
			during, err = s.Usage(ctx, alice)
			return err
		}
	}
	a.renew()
	p := a.process()
	s = p.service
	body, kind := newForm(t, formFile{"file", "a", "", string(content(6000))})

	status, _, _ := p.ask("POST", "/", body.Bytes(), "Content-Type", kind)
	require.Equal(t, http.StatusCreated, status)
	require.Less(t, during.ReservedBytes, int64(7000))

	status, _, text := p.ask("POST", "/", body.Bytes(), "Content-Type", kind)
	require.Equal(t, http.StatusRequestEntityTooLarge, status)
	require.Equal(t, "over_allowance", codeIn(status, text))
	require.Contains(t, string(text), "There is no room for this file: 3.9 KiB are left.")
}

// Two services in one bucket with different Config.Key count the files of the same user separately.
func TestAllowancesOfTwoServices(t *testing.T) {
	a := &account{t: t, open: accounts[0].open}
	a.renew()
	one := a.process()
	a.change = func(c *uploads.Config) {
		c.Key = "documents/{user}/{random}"
	}
	other := a.process()

	require.Empty(t, everyWay[0].send(t, one, content(6000)))
	require.Empty(t, everyWay[0].send(t, other, content(7000)))
	for p, want := range map[*process]int64{one: 6000, other: 7000} {
		u, err := p.service.Recount(t.Context(), alice)
		require.NoError(t, err)
		require.Equal(t, uploads.Usage{Bytes: want, Files: 1}, u)
	}
}

// If a user's files change during each listing, Recount fails with Unavailable after ten attempts.
func TestRecountOfRestlessUserEnds(t *testing.T) {
	a := &account{t: t, open: accounts[0].open}
	a.renew()
	other := a.process()
	lists := 0
	p := a.process(func(next driver.Driver) driver.Driver {
		return driver.Intercept(next, func(ctx context.Context, call string, next func(context.Context) error) error {
			if strings.Contains(call, "List") {
				lists++
				_ = everyWay[0].send(t, other, content(10))
				keys, _ := a.files()
				require.NoError(t, other.service.Delete(t.Context(), keys[0], uploads.User{ID: alice}))
			}
			return next(ctx)
		})
	})

	_, err := p.service.Recount(t.Context(), alice)
	require.ErrorIs(t, err, storage.Unavailable)
	require.Equal(t, 10, lists)
}
