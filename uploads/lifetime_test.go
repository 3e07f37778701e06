package uploads_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

// With Config.Lifetime, the record of a file expires after that time, in whichever way the file was uploaded.
func TestLifetimeHoldsForAllWays(t *testing.T) {
	bucket := memstore.New(storage.WithSigningBaseURL("http://example.com/store"))
	var files []*uploads.File
	s, err := uploads.New(bucket, uploads.Config{
		Rules:     rules.Any(0),
		Records:   uploads.BucketRecords(bucket),
		Lifetime:  2 * uploads.DefaultTTL,
		Authorize: func(*http.Request) (uploads.User, error) { return uploads.User{ID: "eva"}, nil },
		Stored: func(_ context.Context, f *uploads.File) error {
			files = append(files, f)
			return nil
		},
	})
	require.NoError(t, err)
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	part, err := w.CreateFormFile("file", "a.txt")
	require.NoError(t, err)
	_, err = part.Write([]byte("content"))
	require.NoError(t, err)
	require.NoError(t, w.Close())

	tests := []struct {
		name string
		send func(t *testing.T)
	}{
		{"Store", func(t *testing.T) {
			t.Helper()
			_, err := s.Store(t.Context(), uploads.Upload{Body: strings.NewReader("content"), Name: "a.txt"})
			require.NoError(t, err)
		}},
		{"a form", func(t *testing.T) {
			t.Helper()
			answer := request(s, "POST", "/", form.String(), "Content-Type", w.FormDataContentType())
			require.Equal(t, http.StatusCreated, answer.Code)
		}},
		{"tus", func(t *testing.T) {
			t.Helper()
			name := base64.StdEncoding.EncodeToString([]byte("a.txt"))
			require.Equal(t, http.StatusCreated, request(s, "POST", "/tus/", "content", "Tus-Resumable", "1.0.0", "Upload-Length", "7",
				"Upload-Metadata", "filename "+name, "Content-Type", "application/offset+octet-stream",
			).Code)
		}},
		{"pieces", func(t *testing.T) {
			t.Helper()
			_, err := s.PutPiece(t.Context(), uploads.Piece{
				Body:   strings.NewReader("content"),
				Name:   "a.txt",
				Token:  "token-1234",
				Count:  1,
				Number: 1,
			})
			require.NoError(t, err)
		}},
		{"a ticket", func(t *testing.T) {
			t.Helper()
			ticket, err := s.Sign(t.Context(), uploads.Request{Name: "a.txt", Size: 7}, uploads.User{})
			require.NoError(t, err)
			_, err = bucket.Upload(t.Context(), signedKeyOf(ticket), strings.NewReader("content"))
			require.NoError(t, err)
			_, err = s.Finish(t.Context(), ticket.Token, uploads.User{})
			require.NoError(t, err)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			files = nil
			tt.send(t)
			require.Len(t, files, 1)
			record, err := s.Records().Record(t.Context(), files[0].ID)
			require.NoError(t, err)
			require.Equal(t, record.Expires, files[0].Expires)
			require.WithinDuration(t, time.Now().Add(2*uploads.DefaultTTL), record.Expires, time.Minute)
		})
	}
}

// New refuses a Config.Lifetime that is shorter than twice Config.TTL, or comes without Config.Records.
func TestLifetimeIsLongerThanUploads(t *testing.T) {
	bucket := memstore.New()
	records := uploads.BucketRecords(bucket)
	tests := []struct {
		name   string
		config uploads.Config
	}{
		{name: "less than twice TTL", config: uploads.Config{Lifetime: time.Hour, TTL: 31 * time.Minute, Records: records}},
		{name: "negative", config: uploads.Config{Lifetime: -time.Hour, Records: records}},
		{name: "without Records", config: uploads.Config{Lifetime: 1000 * time.Hour}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := uploads.New(bucket, tt.config)
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.ErrorContains(t, err, "Config.Lifetime")
		})
	}
}

// A Finish between Sweep's removal of an expired record and that of the bytes leaves no record without bytes.
func TestFinishDuringSweepRecordsNoExpiredFile(t *testing.T) {
	now := time.Now()
	storedCalls := 0
	bucket := memstore.New(storage.WithSigningBaseURL("http://example.com/store"))
	s, err := uploads.New(bucket, uploads.Config{
		Rules:    rules.Any(0),
		Records:  uploads.BucketRecords(bucket),
		Now:      func() time.Time { return now },
		TTL:      time.Hour,
		Lifetime: 2 * time.Hour,
		Stored: func(context.Context, *uploads.File) error {
			storedCalls++
			return nil
		},
	})
	require.NoError(t, err)

	// A file with a lifetime of two hours is sent and finished.
	ticket, err := s.Sign(t.Context(), uploads.Request{Size: 7}, uploads.User{})
	require.NoError(t, err)
	_, err = bucket.Upload(t.Context(), signedKeyOf(ticket), strings.NewReader("content"))
	require.NoError(t, err)
	f, err := s.Finish(t.Context(), ticket.Token, uploads.User{})
	require.NoError(t, err)

	// The lifetime ends.
	now = now.Add(2 * time.Hour)
	second, err := s.Finish(t.Context(), ticket.Token, uploads.User{})
	require.NoError(t, err)
	require.Equal(t, f.Expires, second.Expires)
	require.Equal(t, 2, storedCalls)

	// Sweep removes the record before the bytes.
	require.NoError(t, s.Records().Remove(t.Context(), f))
	_, err = s.Finish(t.Context(), ticket.Token, uploads.User{})
	require.ErrorIs(t, err, storage.Unavailable)
	_, err = s.Records().Record(t.Context(), f.ID)
	require.ErrorIs(t, err, storage.ObjectNotFound)
	require.Equal(t, 2, storedCalls)
}

// Remove fails for a file that a transaction has made permanent since, and the file still counts.
func TestRemoveKeptFileCounts(t *testing.T) {
	bucket := memstore.New()
	s, err := uploads.New(bucket, uploads.Config{
		Rules:   rules.Any(0),
		Records: uploads.BucketRecords(bucket),
		Allowance: func(context.Context, uploads.User) (uploads.Allowance, error) {
			return uploads.Allowance{Bytes: 100}, nil
		},
	})
	require.NoError(t, err)
	f, err := s.Store(t.Context(), uploads.Upload{
		Body: strings.NewReader("content"),
		Name: "a",
		User: uploads.User{ID: "eva"},
	})
	require.NoError(t, err)
	usageBefore, err := s.Usage(t.Context(), "eva")
	require.NoError(t, err)

	// A sweep has read the file before the transaction made it permanent: it still knows when the file expires.
	f.Expires = time.Now()
	require.ErrorIs(t, s.Remove(t.Context(), f), storage.PreconditionFailed)
	usageAfter, err := s.Usage(t.Context(), "eva")
	require.NoError(t, err)
	require.Equal(t, usageBefore, usageAfter)

	// The permanent file can be removed.
	f.Expires = time.Time{}
	require.NoError(t, s.Remove(t.Context(), f))
	usageAfter, err = s.Usage(t.Context(), "eva")
	require.NoError(t, err)
	require.Zero(t, usageAfter)
}
