package client_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
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

// content returns n bytes that follow no pattern.
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

// UploadLarge stores a file of any size, even an empty one.
func TestUploadLargeSendsAllParts(t *testing.T) {
	for _, size := range []int{0, 1, 999, 1000, 1001, 20_500} {
		t.Run(fmt.Sprintf("%d bytes", size), func(t *testing.T) {
			s := newServer(t, nil)
			data := content(size)
			record, err := s.client.UploadLarge(t.Context(), newLargeFile(data))
			require.NoError(t, err)
			s.requireFile(t, record, "large.bin", data)
		})
	}
}

// UploadLarge stores a temp file if LargeFile.Temp is set.
func TestUploadLargeSendsTempFiles(t *testing.T) {
	s := newServer(t, nil)
	data := content(5000)
	file := newLargeFile(data)
	file.Temp = true

	record, err := s.client.UploadLarge(t.Context(), file)
	require.NoError(t, err)

	body, err := s.client.DownloadTemp(t.Context(), record.ID, "")
	require.NoError(t, err)
	got, err := io.ReadAll(body)
	require.NoError(t, err)
	require.NoError(t, body.Close())
	require.Equal(t, data, got)
}

// UploadLarge waits and sends a part again if its request has failed for a reason that may pass.
func TestUploadLargeSendsAPartAgain(t *testing.T) {
	tests := []struct {
		name        string
		fail        interceptor
		wantMinWait time.Duration
	}{
		{name: "the server is busy", fail: answerBusy, wantMinWait: 7 * time.Second}, // as the server says
		{name: "the connection drops", fail: dropConnection, wantMinWait: time.Millisecond},
		{name: "the response is lost", fail: loseResponse, wantMinWait: time.Millisecond},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// Every third request fails.
			s := newServer(t, func(number int, w http.ResponseWriter, r *http.Request, next http.Handler) bool {
				isThird := number%3 == 0
				return isThird && tt.fail(number, w, r, next)
			})

			data := content(10_500)
			file := newLargeFile(data)
			// Parts are sent in parallel. By chance, one part can be in a third request, and fail,
			// many times.
			file.Attempts = 50

			record, err := s.client.UploadLarge(t.Context(), file)
			require.NoError(t, err)
			s.requireFile(t, record, "large.bin", data)
			require.NotEmpty(t, s.waits)
			require.GreaterOrEqual(t, slices.Min(s.waits), tt.wantMinWait)
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

// UploadLarge sends a part again only after a status that may change with time.
func TestUploadLargeRepeatsAPartIfWaitingHelps(t *testing.T) {
	tests := []struct {
		status  int  // status of the first response
		repeats bool // whether the part is sent again
	}{
		{status: http.StatusRequestTimeout, repeats: true},
		{status: http.StatusLocked, repeats: true},
		{status: http.StatusTooManyRequests, repeats: true},
		{status: http.StatusInternalServerError, repeats: true},
		{status: http.StatusServiceUnavailable, repeats: true},
		{status: http.StatusForbidden, repeats: false},
		{status: http.StatusNotFound, repeats: false},
		{status: http.StatusConflict, repeats: false},
		{status: http.StatusNotImplemented, repeats: false},
	}
	for _, tt := range tests {
		t.Run(http.StatusText(tt.status), func(t *testing.T) {
			// Only the first request fails. The interceptor returns false for all others, so the
			// handler gets them.
			s := newServer(t, func(number int, w http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
				isFirst := number == 1
				if isFirst {
					w.WriteHeader(tt.status)
				}
				return isFirst
			})
			_, err := s.client.UploadLarge(t.Context(), newLargeFile(content(10)))

			require.Equal(t, tt.repeats, err == nil)
			require.Equal(t, tt.repeats, s.requests == 2)
		})
	}
}

// If the response to the last part was lost, UploadLarge sends that part again. The response to the
// second request has the record.
func TestUploadLargeFindsTheRecordWhoseResponseWasLost(t *testing.T) {
	data := content(2500)
	file := newLargeFile(data)
	file.Concurrency = 1
	const parts = 3 // of 1000 bytes at most

	// The server stores the last part, and drops the connection before it responds.
	s := newServer(t, func(number int, _ http.ResponseWriter, r *http.Request, next http.Handler) bool {
		isLastPart := number == parts
		if !isLastPart {
			return false
		}
		w := httptest.NewRecorder()
		next.ServeHTTP(w, r)
		require.Equal(t, http.StatusCreated, w.Code)
		return hangUp()
	})

	record, err := s.client.UploadLarge(t.Context(), file)
	require.NoError(t, err)
	s.requireFile(t, record, "large.bin", data)
	require.Equal(t, parts+1, s.requests)
}

// After UploadLarge has given up, a second call can use the values of the returned error. It sends
// only the missing parts.
func TestUploadLargeIsResumed(t *testing.T) {
	const (
		partSize = 1000
		parts    = 10
		accepted = 3 // parts, before the server refuses all further requests
		attempts = 2 // of a part
	)
	isDown := true
	s := newServer(t, func(number int, w http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
		return isDown && number > accepted && unavailable(w)
	})

	data := content(parts * partSize)
	file := newLargeFile(data)
	file.Concurrency = 1
	file.Attempts = attempts

	// Three parts arrive, the fourth one fails twice, and no other part is tried.
	_, err := s.client.UploadLarge(t.Context(), file)
	var incomplete *filesclient.Incomplete
	require.ErrorAs(t, err, &incomplete)
	require.Equal(t, []int{4, 5, 6, 7, 8, 9, 10}, incomplete.Missing)
	require.EqualValues(t, partSize, incomplete.PartSize)

	var responseErr *filesclient.Error
	require.ErrorAs(t, err, &responseErr)
	require.Equal(t, http.StatusServiceUnavailable, responseErr.Status)
	require.Equal(t, accepted+attempts, s.requests)

	// The second call sends the missing parts.
	earlierRequests := s.requests
	isDown = false
	file.Token = incomplete.Token
	file.PartSize = incomplete.PartSize
	file.Sums = incomplete.Sums
	record, err := s.client.UploadLarge(t.Context(), file)
	require.NoError(t, err)
	s.requireFile(t, record, "large.bin", data)
	require.Equal(t, parts-accepted, s.requests-earlierRequests)
}

// If a part of the file has changed since the first attempt, a further attempt sends that part
// again.
func TestUploadLargeSendsChangedPartsAgain(t *testing.T) {
	// The server accepts the first requests, and refuses all others.
	maxAccepted := 3
	s := newServer(t, func(number int, w http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
		return number > maxAccepted && unavailable(w)
	})
	data := content(10_000) // ten parts
	file := newLargeFile(data)
	file.Concurrency = 1
	file.Attempts = 1

	// Three parts arrive.
	_, err := s.client.UploadLarge(t.Context(), file)
	var incomplete *filesclient.Incomplete
	require.ErrorAs(t, err, &incomplete)
	require.Len(t, incomplete.Sums, 3)

	// A byte of the second part changes. The client cannot send it again, because the server is down.
	data[1500]++
	maxAccepted = 0
	file.Token = incomplete.Token
	file.PartSize = incomplete.PartSize
	file.Sums = incomplete.Sums
	_, err = s.client.UploadLarge(t.Context(), file)
	require.ErrorAs(t, err, &incomplete)
	require.NotContains(t, incomplete.Sums, 2)

	// The server is up again. Two parts have not changed since they were sent, and the client sends
	// the other eight.
	maxAccepted = math.MaxInt
	earlierRequests := s.requests
	file.Sums = incomplete.Sums
	record, err := s.client.UploadLarge(t.Context(), file)
	require.NoError(t, err)
	s.requireFile(t, record, "large.bin", data)
	require.Equal(t, 8, s.requests-earlierRequests)
}

// UploadLarge fails without waiting if the server refuses a part.
func TestUploadLargeDoesNotRepeatARefusedPart(t *testing.T) {
	s := newServer(t, nil)
	file := newLargeFile(content(3000))
	file.Name = "a/b"
	file.Concurrency = 1

	_, err := s.client.UploadLarge(t.Context(), file)
	require.Equal(t, uploads.InvalidValue, uploads.CodeOf(err))
	var incomplete *filesclient.Incomplete
	require.ErrorAs(t, err, &incomplete)
	require.Equal(t, []int{1, 2, 3}, incomplete.Missing)
	require.Empty(t, s.waits)
}

// UploadLarge fails with an Incomplete if LargeFile.Only leaves out parts that the server does not have.
func TestUploadLargeReportsPartsThatWereNotSent(t *testing.T) {
	s := newServer(t, nil)
	file := newLargeFile(content(3000))
	file.Only = []int{1, 3}

	_, err := s.client.UploadLarge(t.Context(), file)
	var incomplete *filesclient.Incomplete
	require.ErrorAs(t, err, &incomplete)
	require.Equal(t, []int{1, 2, 3}, incomplete.Missing)
}

// UploadLarge ends with its context, and tells which parts are missing.
func TestUploadLargeEndsWithItsContext(t *testing.T) {
	// The context ends when the server gets the second of ten parts.
	const canceledPart = 2
	ctx, cancel := context.WithCancel(t.Context())
	s := newServer(t, func(number int, _ http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
		if number == canceledPart {
			cancel()
		}
		return false
	})
	file := newLargeFile(content(10_000))
	file.Concurrency = 1

	// The last part was not sent.
	_, err := s.client.UploadLarge(ctx, file)
	require.ErrorIs(t, err, context.Canceled)
	var incomplete *filesclient.Incomplete
	require.ErrorAs(t, err, &incomplete)
	require.Contains(t, incomplete.Missing, 10)
}

// UploadLarge refuses an invalid LargeFile without making a request.
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
		{name: "no body", file: filesclient.LargeFile{Name: "a", Size: 1}},
		{name: "a negative size", file: filesclient.LargeFile{Name: "a", Body: body, Size: -1}},
		{name: "a negative part size", file: filesclient.LargeFile{Name: "a", Body: body, PartSize: -1}},
		{name: "negative concurrency", file: filesclient.LargeFile{Name: "a", Body: body, Concurrency: -1}},
		{name: "negative attempts", file: filesclient.LargeFile{Name: "a", Body: body, Attempts: -1}},
		{name: "more than 10,000 parts", file: filesclient.LargeFile{Name: "a", Body: body, Size: 10_001, PartSize: 1}},
		// The file has only one part, so part 2 does not exist.
		{name: "a part that is none", file: filesclient.LargeFile{Name: "a", Body: body, Size: 1, Only: []int{2}}},
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

// If a file would have more than 10,000 parts, the client chooses larger parts.
func TestUploadLargePartsGrowWithFile(t *testing.T) {
	const (
		usualPart = 10 << 20
		maxParts  = 10_000
	)
	tests := []struct {
		size      int64
		wantParts string // number of parts
	}{
		{size: 10 * usualPart, wantParts: "10"},
		{size: maxParts * usualPart, wantParts: "10000"},
		{size: maxParts*usualPart + 1, wantParts: "10000"},
		{size: 5 << 40, wantParts: "10000"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%d bytes", tt.size), func(t *testing.T) {
			parts := "" // number of parts in the form of the first one
			transport := recordTransport(func(r *http.Request) {
				parts = readField(t, r, "count")
			})
			client, err := filesclient.New("http://files.example", &http.Client{Transport: transport})
			require.NoError(t, err)

			// Only the first part is sent, because its form has the number of all parts.
			file := filesclient.LargeFile{Name: "a", Body: zeros{}, Size: tt.size, Only: []int{1}}
			_, err = client.UploadLarge(t.Context(), file)
			require.NoError(t, err)
			require.Equal(t, tt.wantParts, parts)
		})
	}
}

// readField returns the text of a form's field. The field must come before the file.
func readField(t *testing.T, r *http.Request, name string) (text string) {
	t.Helper()
	form, err := r.MultipartReader()
	require.NoError(t, err)
	for {
		part, err := form.NextPart()
		require.NoError(t, err)
		if part.FormName() == "file" {
			return text
		}
		value, err := io.ReadAll(part)
		require.NoError(t, err)
		if part.FormName() == name {
			text = string(value)
		}
	}
}

// A recordTransport passes each request to the function, and responds with a record.
type recordTransport func(r *http.Request)

// RoundTrip calls f, which must read the body, and responds with a record.
func (f recordTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	f(r)
	return &http.Response{
		StatusCode: http.StatusCreated,
		Header:     http.Header{},
		Request:    r,
		Body:       io.NopCloser(strings.NewReader(`{"ID": "1"}`)),
	}, r.Body.Close()
}
