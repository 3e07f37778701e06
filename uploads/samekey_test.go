package uploads_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
)

// A shared site stores all files of all users under one key, and knows whose were completed.
type shared struct {
	sessionSite *sessionSite
	before      func(call string) error // runs before each call of the driver

	mu   sync.Mutex
	told []string
}

const sharedKey = "files/shared"

func newShared(t *testing.T, inspect func(context.Context, *uploads.File, *storage.ReaderAt) error) *shared {
	s := &shared{before: func(string) error { return nil }}
	bucket := memstore.New(storage.WithRetry(storage.RetryPolicy{Attempts: 1}), driver.WithLayer(func(next driver.Driver) driver.Driver {
		return driver.Intercept(next, func(ctx context.Context, call string, next func(context.Context) error) error {
			if err := s.before(call); err != nil {
				return err
			}
			return next(ctx)
		})
	}))
	s.sessionSite = newSessionSite(t, bucket, uploads.Config{
		Inspect:    inspect,
		ProxyParts: true,
		Begin: func(*http.Request, uploads.User, uploads.Request) (*uploads.Target, error) {
			return &uploads.Target{Key: sharedKey}, nil
		},
		Stored: func(_ context.Context, u *uploads.File) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.told = append(s.told, u.User.ID)
			return nil
		},
	})
	return s
}

// killAtPut kills the process at the Put with this number.
func (s *shared) killAtPut(number int) {
	puts := 0
	s.before = func(call string) error {
		if call == "Put" {
			puts++
		}
		if puts >= number {
			return &storage.Error{Code: storage.Internal, Err: errDead}
		}
		return nil
	}
}

// If two users upload the same bytes to one key by tus, in parts or in one request, one gets the file. The other
// is told that the key exists.
func TestSameBytesToOneKeyByTwoUsers(t *testing.T) {
	inspect := func(context.Context, *uploads.File, *storage.ReaderAt) error { return nil }
	small := content(1000)
	large := content(part + 1000)
	tus := func(data []byte) func(s *shared, user string) func() *answer {
		return func(s *shared, user string) func() *answer {
			a := s.sessionSite.tusAs(user, "POST", "/tus/", nil, "Upload-Length", size(data))
			require.Equal(s.sessionSite.t, http.StatusCreated, a.StatusCode, string(a.body))
			location := s.sessionSite.locationOf(a, "/tus/")
			return func() *answer { return s.sessionSite.tusAs(user, "PATCH", location, data, "Upload-Offset", "0") }
		}
	}
	parts := func(s *shared, user string) func() *answer {
		a := s.sessionSite.post(user, "/s3/multipart", map[string]any{"filename": "file"})
		require.Equal(s.sessionSite.t, http.StatusOK, a.StatusCode, string(a.body))
		u := &begun{s: s.sessionSite, user: user}
		a.json(s.sessionSite.t, u)
		part := u.send(1, small)
		return func() *answer { return u.complete(part) }
	}
	single := func(s *shared, user string) func() *answer {
		var request struct{ URL string }
		s.sessionSite.do(user, "GET", "/s3/params?filename=file", nil, nil).json(s.sessionSite.t, &request)
		return func() *answer { return s.sessionSite.do("", "PUT", request.URL, readerOf(string(small)), nil) }
	}

	tests := []struct {
		name    string
		inspect func(context.Context, *uploads.File, *storage.ReaderAt) error
		begin   func(s *shared, user string) (finish func() *answer)
	}{
		{"a small file by tus", nil, tus(small)},
		{"a large file by tus", nil, tus(large)},
		{"parts", nil, parts},
		{"one request", nil, single},
		{"a small file by tus, inspected", inspect, tus(small)},
		{"a large file by tus, inspected", inspect, tus(large)},
		{"parts, inspected", inspect, parts},
		{"one request, inspected", inspect, single},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newShared(t, tt.inspect)
			first := tt.begin(s, alice)
			second := tt.begin(s, mallo)
			a := first()
			require.Less(t, a.StatusCode, 300, string(a.body))
			require.Equal(t, "412 exists key", second().refusal(t))
			require.Equal(t, []string{alice}, s.told)
		})
	}
}

// If another user's file appears after the key was found free, and before the pieces are joined, the join fails
// with "exists".
func TestTusJoinSameBytesAsOtherUser(t *testing.T) {
	s := newShared(t, nil)
	data := content(1000)
	join := func(user string) *answer {
		concat := "final;"
		for _, piece := range [][]byte{data[:400], data[400:]} {
			a := s.sessionSite.tusAs(user, "POST", "/tus/", piece, "Upload-Length", size(piece), "Upload-Concat", "partial")
			require.Equal(t, http.StatusCreated, a.StatusCode, string(a.body))
			concat += " " + s.sessionSite.locationOf(a, "/tus/")
		}
		return s.sessionSite.tusAs(user, "POST", "/tus/", nil, "Upload-Concat", concat)
	}
	// Alice stores her file just before Mallo's pieces are joined. No other call is in progress when
	// s.before changes.
	s.before = func(call string) error {
		if call == "Compose" {
			s.before = func(string) error { return nil }
			assert.Equal(t, http.StatusCreated, join(alice).StatusCode)
		}
		return nil
	}

	require.Equal(t, "412 exists key", join(mallo).refusal(t))
	require.Equal(t, []string{alice}, s.told)
}

// A process is killed before it stores a file, another user stores the same bytes, and the first user aborts.
// Stored is not called for the first user.
func TestCancelSameBytesAsOtherUser(t *testing.T) {
	s := newShared(t, nil)
	data := content(1000)
	begin := func(user string) (location string) {
		created := s.sessionSite.tusAs(user, "POST", "/tus/", nil, "Upload-Length", size(data))
		return s.sessionSite.locationOf(created, "/tus/")
	}
	malloUpload := begin(mallo)
	aliceUpload := begin(alice)

	// The first Put has the holder of the upload, the second one the claim, and the third one the object.
	s.killAtPut(3)
	killed := s.sessionSite.tusAs(mallo, "PATCH", malloUpload, data, "Upload-Offset", "0")
	require.GreaterOrEqual(t, killed.StatusCode, http.StatusInternalServerError)
	s.before = func(string) error { return nil }

	sent := s.sessionSite.tusAs(alice, "PATCH", aliceUpload, data, "Upload-Offset", "0")
	require.Equal(t, http.StatusNoContent, sent.StatusCode, string(sent.body))
	require.Equal(t, []string{alice}, s.told)

	// The claim of the dead process has then ended, and the upload has not expired.
	s.sessionSite.clock.Advance(uploads.DefaultTTL / 2)
	aborted := s.sessionSite.tusAs(mallo, "DELETE", malloUpload, nil)

	require.Equal(t, http.StatusNoContent, aborted.StatusCode, string(aborted.body))
	require.Equal(t, []string{alice}, s.told)
	s.sessionSite.requireStored(sharedKey, data)
}

// If a process is killed after it stored a file in one request, the address then accepts only the same file.
func TestS3OtherFileAtAddressOfStoredOne(t *testing.T) {
	const stored = "abc"
	tests := []struct {
		name     string
		repeated string // file that the client sends to the address again
		want     string // refusal of the repeated request; "" if it succeeds
	}{
		{name: "the same file", repeated: stored, want: ""},
		{name: "other bytes of the same length", repeated: "abd", want: "412 exists key"},
		{name: "a shorter file", repeated: "a", want: "412 exists key"},
		{name: "a longer file", repeated: "abcd", want: "412 exists key"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newShared(t, nil)
			var request struct{ URL string }
			s.sessionSite.do(alice, "GET", "/s3/params?filename=file", nil, nil).json(t, &request)
			put := func(text string) *answer {
				return s.sessionSite.do("", "PUT", request.URL, readerOf(text), nil)
			}

			// The first Put has the claim, the second one the object, and the third one the result.
			s.killAtPut(3)
			killed := put(stored)
			require.GreaterOrEqual(t, killed.StatusCode, http.StatusInternalServerError)
			s.before = func(string) error { return nil }

			// The claim of the dead process lasts 80 seconds.
			s.sessionSite.clock.Advance(3 * time.Minute)
			repeated := put(tt.repeated)

			s.sessionSite.requireStored(sharedKey, []byte(stored))
			if tt.want == "" {
				require.Equal(t, http.StatusOK, repeated.StatusCode, string(repeated.body))
				require.Equal(t, []string{alice}, s.told)
			} else {
				require.Equal(t, tt.want, repeated.refusal(t))
				require.Empty(t, s.told)
			}
		})
	}
}
