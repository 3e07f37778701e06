package client_test

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads"
	filesclient "github.com/omnibucket/storage/uploads/client"
)

// content returns n bytes without a pattern.
func content(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

// newLargeFile returns a file with this content, which is sent in parts of 1000 bytes.
func newLargeFile(b []byte) filesclient.LargeFile {
	return filesclient.LargeFile{Name: "large.bin", Body: bytes.NewReader(b), Size: int64(len(b)), PartSize: 1000}
}

// unavailable answers with 503. It returns true, because the response is complete.
func unavailable(w http.ResponseWriter) bool {
	w.Header().Set("Retry-After", "7")
	w.WriteHeader(http.StatusServiceUnavailable)
	return true
}

// hangUp drops the connection.
func hangUp() bool { panic(http.ErrAbortHandler) }

// UploadLarge stores files of any size, also empty ones.
func TestUploadLargeSendsAllParts(t *testing.T) {
	for _, size := range []int{0, 1, 999, 1000, 1001, 20_500} {
		s := newServer(t, nil)
		b := content(size)
		record, err := s.client.UploadLarge(t.Context(), newLargeFile(b))
		require.NoError(t, err)
		s.requireFile(t, record, "large.bin", b)
	}
}

// With LargeFile.Temp, UploadLarge stores a temp file.
func TestUploadLargeSendsTempFiles(t *testing.T) {
	s := newServer(t, nil)
	data := content(5000)
	f := newLargeFile(data)
	f.Temp = true
	record, err := s.client.UploadLarge(t.Context(), f)
	require.NoError(t, err)

	body, err := s.client.DownloadTemp(t.Context(), record.ID, "")
	require.NoError(t, err)
	got, err := io.ReadAll(body)
	require.NoError(t, err)
	require.NoError(t, body.Close())
	require.Equal(t, data, got)
}

// If a request fails for a reason that may pass, UploadLarge waits, and sends the part again. Here, every third request
// fails.
func TestUploadLargeSendsAPartAgain(t *testing.T) {
	tests := []struct {
		name    string
		fail    interceptor
		minWait time.Duration
	}{
		{name: "the server is busy", fail: answerBusy, minWait: 7 * time.Second}, // as it says
		{name: "the connection drops", fail: dropConnection, minWait: time.Millisecond},
		{name: "the response is lost", fail: loseResponse, minWait: time.Millisecond},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t, func(n int, w http.ResponseWriter, r *http.Request, next http.Handler) bool {
				return n%3 == 0 && tt.fail(n, w, r, next)
			})
			data := content(10_500)
			f := newLargeFile(data)
			f.Attempts = 50 // parts are sent in parallel, and one may be every third request for long

			record, err := s.client.UploadLarge(t.Context(), f)
			require.NoError(t, err)
			s.requireFile(t, record, "large.bin", data)
			require.NotEmpty(t, s.waits)
			require.GreaterOrEqual(t, slices.Min(s.waits), tt.minWait)
		})
	}
}

func answerBusy(_ int, w http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
	return unavailable(w)
}

// dropConnection drops the connection in the middle of the body.
func dropConnection(_ int, _ http.ResponseWriter, r *http.Request, _ http.Handler) bool {
	_, _ = io.CopyN(io.Discard, r.Body, 500)
	return hangUp()
}

// loseResponse drops the connection after the request was handled.
func loseResponse(_ int, _ http.ResponseWriter, r *http.Request, next http.Handler) bool {
	next.ServeHTTP(httptest.NewRecorder(), r)
	return hangUp()
}

// The status of a response decides whether UploadLarge sends the part again.
func TestUploadLargeRepeatsAPartIfWaitingHelps(t *testing.T) {
	for status, repeated := range map[int]bool{
		http.StatusRequestTimeout:      true,
		http.StatusLocked:              true,
		http.StatusTooManyRequests:     true,
		http.StatusInternalServerError: true,
		http.StatusServiceUnavailable:  true,
		http.StatusForbidden:           false,
		http.StatusNotFound:            false,
		http.StatusConflict:            false,
		http.StatusNotImplemented:      false,
	} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			s := newServer(t, func(n int, w http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
				if n == 1 {
					w.WriteHeader(status)
				}
				return n == 1
			})
			_, err := s.client.UploadLarge(t.Context(), newLargeFile(content(10)))
			require.Equal(t, repeated, err == nil)
			require.Equal(t, repeated, s.requests == 2)
		})
	}
}

// If the response to the last part is lost, UploadLarge gets the record by sending the part again.
func TestUploadLargeFindsTheRecordWhoseResponseWasLost(t *testing.T) {
	s := newServer(t, func(n int, _ http.ResponseWriter, r *http.Request, next http.Handler) bool {
		if n != 3 { // the last of three parts
			return false
		}
		w := httptest.NewRecorder()
		next.ServeHTTP(w, r)
		require.Equal(t, http.StatusCreated, w.Code)
		return hangUp()
	})
	data := content(2500)
	f := newLargeFile(data)
	f.Concurrency = 1

	record, err := s.client.UploadLarge(t.Context(), f)
	require.NoError(t, err)
	s.requireFile(t, record, "large.bin", data)
	require.Equal(t, 4, s.requests)
}

// If UploadLarge gives up, its error tells what is missing. With these values, a second call sends only that.
func TestUploadLargeIsResumed(t *testing.T) {
	down := true
	s := newServer(t, func(n int, w http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
		return down && n > 3 && unavailable(w)
	})
	data := content(10_000)
	f := newLargeFile(data)
	f.Concurrency = 1
	f.Attempts = 2

	// Three parts arrive, and the fourth one fails twice. No part starts after one that failed finally.
	_, err := s.client.UploadLarge(t.Context(), f)
	var incomplete *filesclient.Incomplete
	require.ErrorAs(t, err, &incomplete)
	require.Equal(t, []int{4, 5, 6, 7, 8, 9, 10}, incomplete.Missing)
	require.EqualValues(t, 1000, incomplete.PartSize)
	var responseErr *filesclient.Error
	require.ErrorAs(t, err, &responseErr)
	require.Equal(t, http.StatusServiceUnavailable, responseErr.Status)
	require.Equal(t, 3+2, s.requests)

	// The second call sends the other seven.
	down = false
	f.Token = incomplete.Token
	f.PartSize = incomplete.PartSize
	f.Sums = incomplete.Sums
	record, err := s.client.UploadLarge(t.Context(), f)
	require.NoError(t, err)
	s.requireFile(t, record, "large.bin", data)
	require.Equal(t, 3+2+7, s.requests)
}

// If the file has changed since the first attempt, the result has only its current bytes.
func TestUploadLargeSendsChangedPartsAgain(t *testing.T) {
	down := true
	s := newServer(t, func(n int, w http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
		return down && n > 3 && unavailable(w)
	})
	data := content(10_000)
	f := newLargeFile(data)
	f.Concurrency = 1
	f.Attempts = 1

	// Three parts arrive.
	_, err := s.client.UploadLarge(t.Context(), f)
	var incomplete *filesclient.Incomplete
	require.ErrorAs(t, err, &incomplete)
	require.Len(t, incomplete.Sums, 3)

	// The second part changes, and fails.
	data[1500]++
	f.Token = incomplete.Token
	f.PartSize = incomplete.PartSize
	f.Sums = incomplete.Sums
	s.requests = 3
	_, err = s.client.UploadLarge(t.Context(), f)
	require.ErrorAs(t, err, &incomplete)
	require.NotContains(t, incomplete.Sums, 2)

	// Two parts are still the same, and the other eight are sent.
	down = false
	f.Sums = incomplete.Sums
	s.requests = 0
	record, err := s.client.UploadLarge(t.Context(), f)
	require.NoError(t, err)
	s.requireFile(t, record, "large.bin", data)
	require.Equal(t, 8, s.requests)
}

// If the server refuses a part, UploadLarge fails without waiting.
func TestUploadLargeDoesNotRepeatARefusedPart(t *testing.T) {
	s := newServer(t, nil)
	f := newLargeFile(content(3000))
	f.Name = "a/b"
	f.Concurrency = 1

	_, err := s.client.UploadLarge(t.Context(), f)
	require.Equal(t, uploads.InvalidValue, uploads.CodeOf(err))
	var incomplete *filesclient.Incomplete
	require.ErrorAs(t, err, &incomplete)
	require.Equal(t, []int{1, 2, 3}, incomplete.Missing)
	require.Empty(t, s.waits)
}

// If LargeFile.Only leaves parts out, the file is not complete, and the error says so.
func TestUploadLargeReportsPartsThatWereNotSent(t *testing.T) {
	s := newServer(t, nil)
	f := newLargeFile(content(3000))
	f.Only = []int{1, 3}
	_, err := s.client.UploadLarge(t.Context(), f)
	var incomplete *filesclient.Incomplete
	require.ErrorAs(t, err, &incomplete)
	require.Equal(t, []int{1, 2, 3}, incomplete.Missing)
}

// UploadLarge ends when its context ends, and tells what is missing.
func TestUploadLargeEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := newServer(t, func(n int, _ http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
		if n == 2 {
			cancel()
		}
		return false
	})
	f := newLargeFile(content(10_000))
	f.Concurrency = 1

	_, err := s.client.UploadLarge(ctx, f)
	require.ErrorIs(t, err, context.Canceled)
	var incomplete *filesclient.Incomplete
	require.ErrorAs(t, err, &incomplete)
	require.Contains(t, incomplete.Missing, 10)
}

// UploadLarge refuses an invalid LargeFile before its first request.
func TestUploadLargeRefusesInvalidFiles(t *testing.T) {
	s := newServer(t, func(int, http.ResponseWriter, *http.Request, http.Handler) bool {
		t.Error("a request was made")
		return false
	})
	body := strings.NewReader("x")
	tests := []struct {
		name string
		file filesclient.LargeFile
	}{
		{"no body", filesclient.LargeFile{Name: "a", Size: 1}},
		{"a negative size", filesclient.LargeFile{Name: "a", Body: body, Size: -1}},
		{"a negative part size", filesclient.LargeFile{Name: "a", Body: body, PartSize: -1}},
		{"negative concurrency", filesclient.LargeFile{Name: "a", Body: body, Concurrency: -1}},
		{"negative attempts", filesclient.LargeFile{Name: "a", Body: body, Attempts: -1}},
		{"more than 10,000 parts", filesclient.LargeFile{Name: "a", Body: body, Size: 10_001, PartSize: 1}},
		{"a part that is none", filesclient.LargeFile{Name: "a", Body: body, Size: 1, Only: []int{2}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := s.client.UploadLarge(t.Context(), tt.file)
			require.ErrorIs(t, err, storage.InvalidArgument)
		})
	}
}

// zeros is a file of zeros of any size.
type zeros struct{}

func (zeros) ReadAt(p []byte, _ int64) (int, error) {
	clear(p)
	return len(p), nil
}

// For larger files, the client chooses larger parts.
func TestUploadLargePartsGrowWithFile(t *testing.T) {
	tests := []struct {
		size  int64
		count string
	}{
		{100 << 20, "10"},
		{10_000 * 10 << 20, "10000"},
		{10_000*10<<20 + 1, "10000"},
		{5 << 40, "10000"},
	}
	for _, tt := range tests {
		var count string
		transport := recordTransport(func(r *http.Request) {
			form, err := r.MultipartReader()
			require.NoError(t, err)
			for {
				part, err := form.NextPart()
				require.NoError(t, err)
				if part.FormName() == "file" {
					return
				}
				text, err := io.ReadAll(part)
				require.NoError(t, err)
				if part.FormName() == "count" {
					count = string(text)
				}
			}
		})
		client, err := filesclient.New("http://files.example", &http.Client{Transport: transport})
		require.NoError(t, err)

		_, err = client.UploadLarge(t.Context(), filesclient.LargeFile{Name: "a", Body: zeros{}, Size: tt.size, Only: []int{1}})
		require.NoError(t, err)
		require.Equal(t, tt.count, count)
	}
}

// A recordTransport passes each request to the function, and responds with a record.
type recordTransport func(r *http.Request)

func (f recordTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	f(r)
	return &http.Response{
		StatusCode: http.StatusCreated,
		Header:     http.Header{},
		Request:    r,
		Body:       io.NopCloser(strings.NewReader(`{"ID": "1"}`)),
	}, r.Body.Close()
}
