package uploads_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
)

// A sharedKeySite stores all files of all users under one key, and knows whose were completed.
type sharedKeySite struct {
	*sessionSite
	beforeCall func(call string) error // of the driver

	mu          sync.Mutex
	storedUsers []string // in the order of calls of Config.Stored
}

const sharedKey = "files/shared"

// newSharedKeySite returns a site that stores each file under sharedKey. Each call of its store fails if s.beforeCall
// does, and is not repeated.
func newSharedKeySite(
	t *testing.T, inspect func(context.Context, *uploads.File, *storage.ReaderAt) error,
) *sharedKeySite {
	s := &sharedKeySite{beforeCall: func(string) error { return nil }}
	callBefore := func(d driver.Driver) driver.Driver {
		return driver.Intercept(d, func(ctx context.Context, call string, next func(context.Context) error) error {
			if err := s.beforeCall(call); err != nil {
				return err
			}
			return next(ctx)
		})
	}
	withoutRetries := storage.WithRetry(storage.RetryPolicy{Attempts: 1})
	bucket := memstore.New(withoutRetries, driver.WithLayer(callBefore))

	s.sessionSite = newSessionSite(t, bucket, uploads.Config{
		Inspect:    inspect,
		ProxyParts: true,
		Begin: func(*http.Request, uploads.User, uploads.Request) (*uploads.Target, error) {
			return &uploads.Target{Key: sharedKey}, nil
		},
		Stored: func(_ context.Context, u *uploads.File) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.storedUsers = append(s.storedUsers, u.User.ID)
			return nil
		},
	})
	return s
}

// killAtPut kills the process at the Put with this number.
func (s *sharedKeySite) killAtPut(number int) {
	puts := 0
	s.beforeCall = func(call string) error {
		if call == "Put" {
			puts++
		}
		if puts >= number {
			return &storage.Error{Code: storage.Internal, Err: errDead}
		}
		return nil
	}
}

// Two users upload the same bytes to one key. The first user to finish gets the file. The other one is told that the
// key exists, although its object has the same bytes.
func TestSameBytesToOneKeyByTwoUsers(t *testing.T) {
	accept := func(context.Context, *uploads.File, *storage.ReaderAt) error { return nil }
	small := content(1000)
	large := content(part + 1000)
	tests := []struct {
		name    string
		begin   func(s *sharedKeySite, user string, data []byte) (finish func() *answer) // begins an upload
		data    []byte
		inspect func(context.Context, *uploads.File, *storage.ReaderAt) error // Config.Inspect
	}{
		{name: "a small file by tus", begin: beginTusAs, data: small},
		{name: "a small file by tus, inspected", begin: beginTusAs, data: small, inspect: accept},
		{name: "a large file by tus", begin: beginTusAs, data: large},
		{name: "a large file by tus, inspected", begin: beginTusAs, data: large, inspect: accept},
		{name: "parts", begin: beginPartAs, data: small},
		{name: "parts, inspected", begin: beginPartAs, data: small, inspect: accept},
		{name: "one request", begin: beginSingleRequestAs, data: small},
		{name: "one request, inspected", begin: beginSingleRequestAs, data: small, inspect: accept},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The site stores every upload under the same key. Both users begin one.
			s := newSharedKeySite(t, tt.inspect)
			finishForAlice := tt.begin(s, alice, tt.data)
			finishForMallo := tt.begin(s, mallo, tt.data)

			// Alice is the first to finish.
			resp := finishForAlice()
			require.Less(t, resp.StatusCode, http.StatusMultipleChoices, string(resp.body))

			// Mallo gets an error, and Config.Stored is not called for him.
			require.Equal(t, "412 exists key", finishForMallo().refusal(t))
			require.Equal(t, []string{alice}, s.storedUsers)
		})
	}
}

// beginTusAs begins an upload by tus. finish sends the bytes.
func beginTusAs(s *sharedKeySite, user string, data []byte) (finish func() *answer) {
	resp := s.tusAs(user, "POST", "/tus/", nil, "Upload-Length", size(data))
	require.Equal(s.t, http.StatusCreated, resp.StatusCode, string(resp.body))
	location := s.locationOf(resp, "/tus/")
	return func() *answer { return s.tusAs(user, "PATCH", location, data, "Upload-Offset", "0") }
}

// beginPartAs begins an upload in parts, and sends its only part. finish completes it.
func beginPartAs(s *sharedKeySite, user string, data []byte) (finish func() *answer) {
	resp := s.post(user, "/s3/multipart", map[string]any{"filename": "file"})
	require.Equal(s.t, http.StatusOK, resp.StatusCode, string(resp.body))
	u := &multipartUpload{s: s.sessionSite, user: user}
	resp.json(s.t, u)
	part := u.sendPart(1, data)
	return func() *answer { return u.complete(part) }
}

func beginSingleRequestAs(s *sharedKeySite, user string, data []byte) (finish func() *answer) {
	var request struct{ URL string }
	s.get(user, "/s3/params?filename=file").json(s.t, &request)
	return func() *answer { return s.putTo(request.URL, data) }
}

// Mallo joins two tus uploads to one file. Just before the bytes are joined, Alice stores the same bytes under the same
// key. The join of Mallo fails because the key exists.
func TestTusJoinSameBytesAsOtherUser(t *testing.T) {
	s := newSharedKeySite(t, nil)

	// sendJoinedAs sends a file in two tus uploads, and joins them.
	sendJoinedAs := func(user string) *answer {
		data := content(1000)
		concat := "final;"
		for _, piece := range [][]byte{data[:400], data[400:]} {
			resp := s.tusAs(user, "POST", "/tus/", piece, "Upload-Length", size(piece), "Upload-Concat", "partial")
			require.Equal(t, http.StatusCreated, resp.StatusCode, string(resp.body))
			concat += " " + s.locationOf(resp, "/tus/")
		}
		return s.tusAs(user, "POST", "/tus/", nil, "Upload-Concat", concat)
	}

	// The first Compose joins Mallo's pieces. Before it, Alice stores her file, by another Compose.
	composes := 0
	aliceStatus := 0
	s.beforeCall = func(call string) error {
		if call != "Compose" {
			return nil
		}
		composes++
		isOfMallo := composes == 1
		if isOfMallo {
			aliceStatus = sendJoinedAs(alice).StatusCode
		}
		return nil
	}
	require.Equal(t, "412 exists key", sendJoinedAs(mallo).refusal(t))
	require.Equal(t, http.StatusCreated, aliceStatus)
	require.Equal(t, []string{alice}, s.storedUsers)
}

// A process was killed before it stored the file of a user, and another user has stored the same bytes since. If the
// first user aborts the upload, Config.Stored is not called for it.
func TestCancelSameBytesAsOtherUser(t *testing.T) {
	s := newSharedKeySite(t, nil)
	data := content(1000)
	begin := func(user string) (location string) {
		created := s.tusAs(user, "POST", "/tus/", nil, "Upload-Length", size(data))
		return s.locationOf(created, "/tus/")
	}

	// Both users begin to upload the same bytes.
	malloUpload := begin(mallo)
	aliceUpload := begin(alice)

	// The process is killed when it stores Mallo's object, with its third Put. The first two store the user and the
	// claim on the upload.
	const objectPut = 3
	s.killAtPut(objectPut)
	killed := s.tusAs(mallo, "PATCH", malloUpload, data, "Upload-Offset", "0")
	require.GreaterOrEqual(t, killed.StatusCode, http.StatusInternalServerError)

	// From now on, calls do not fail, as in another process. Alice's upload makes the file.
	s.beforeCall = func(string) error { return nil }
	sent := s.tusAs(alice, "PATCH", aliceUpload, data, "Upload-Offset", "0")
	require.Equal(t, http.StatusNoContent, sent.StatusCode, string(sent.body))
	require.Equal(t, []string{alice}, s.storedUsers)

	// When the claim of the dead process has ended, Mallo aborts his upload, which has not expired.
	s.clock.Advance(uploads.DefaultTTL / 2)
	aborted := s.tusAs(mallo, "DELETE", malloUpload, nil)
	require.Equal(t, http.StatusNoContent, aborted.StatusCode, string(aborted.body))

	// The file stays, and Config.Stored was called only for Alice.
	require.Equal(t, []string{alice}, s.storedUsers)
	s.requireStored(sharedKey, data)
}

// A process was killed after it had stored a file that was sent in one request. The URL of the file then accepts only
// the same file.
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
			s := newSharedKeySite(t, nil)
			var request struct{ URL string }
			s.get(alice, "/s3/params?filename=file").json(t, &request)
			put := func(text string) *answer {
				return s.putTo(request.URL, []byte(text))
			}

			// The process is killed when it stores the result. The Puts before it store the claim and the object.
			const resultPut = 3
			s.killAtPut(resultPut)
			killed := put(stored)
			require.GreaterOrEqual(t, killed.StatusCode, http.StatusInternalServerError)
			s.beforeCall = func(string) error { return nil }

			// When the claim of the dead process has ended, the client sends a file again.
			s.clock.Advance(3 * time.Minute)
			repeated := put(tt.repeated)

			// The stored file has not changed, and only the same file is accepted.
			s.requireStored(sharedKey, []byte(stored))
			if tt.want == "" {
				require.Equal(t, http.StatusOK, repeated.StatusCode, string(repeated.body))
				require.Equal(t, []string{alice}, s.storedUsers)
			} else {
				require.Equal(t, tt.want, repeated.refusal(t))
				require.Empty(t, s.storedUsers)
			}
		})
	}
}
