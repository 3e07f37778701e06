package uploads_test

import (
	"context"
	"net/http"
	"slices"
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
	const lifetime = 2 * uploads.DefaultTTL
	ways := append(slices.Clone(recordedWays), recordedWay{name: "a ticket", send: sendPDFWithTicket})
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			bucket := openMemory(t)
			var stored []*uploads.File
			s := newService(t, bucket, uploads.Config{
				Rules:     rules.Any(0),
				Records:   uploads.BucketRecords(bucket),
				Lifetime:  lifetime,
				Authorize: func(*http.Request) (uploads.User, error) { return uploads.User{ID: "eva"}, nil },
				Stored:    appendTo(&stored),
			})

			require.True(t, way.send(t, s))
			require.Len(t, stored, 1)
			record, err := s.Records().Record(t.Context(), stored[0].ID)
			require.NoError(t, err)
			require.Equal(t, record.Expires, stored[0].Expires)
			require.WithinDuration(t, time.Now().Add(lifetime), record.Expires, time.Minute)
		})
	}
}

// sendPDFWithTicket sends a.pdf with a ticket.
func sendPDFWithTicket(t *testing.T, s *uploads.Service) bool {
	user := uploads.User{ID: "eva"}
	ticket, err := s.Sign(t.Context(), uploads.Request{Name: "a.pdf", Size: int64(len(pdf))}, user)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, send(t, ticket, pdf))
	_, err = s.Finish(t.Context(), ticket.Token, user)
	return err == nil
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

// A file has expired, and Sweep removes its record before its bytes. A Finish between the two does not create the
// record again, which would then have no bytes.
func TestFinishDuringSweepRecordsNoExpiredFile(t *testing.T) {
	const lifetime = 2 * time.Hour
	now := time.Now()
	var stored []*uploads.File
	bucket := memstore.New(storage.WithSigningBaseURL("http://example.com/store"))
	s := newService(t, bucket, uploads.Config{
		Rules:    rules.Any(0),
		Records:  uploads.BucketRecords(bucket),
		Now:      func() time.Time { return now },
		TTL:      time.Hour,
		Lifetime: lifetime,
		Stored:   appendTo(&stored),
	})

	// A file is sent and finished.
	ticket, err := s.Sign(t.Context(), uploads.Request{Size: int64(len("content"))}, uploads.User{})
	require.NoError(t, err)
	_, err = bucket.Upload(t.Context(), signedKeyOf(ticket), strings.NewReader("content"))
	require.NoError(t, err)
	f, err := s.Finish(t.Context(), ticket.Token, uploads.User{})
	require.NoError(t, err)

	// At the end of its lifetime, a second Finish still returns the file, with the same end.
	now = now.Add(lifetime)
	second, err := s.Finish(t.Context(), ticket.Token, uploads.User{})
	require.NoError(t, err)
	require.Equal(t, f.Expires, second.Expires)
	require.Len(t, stored, 2)

	// Once the record is removed, as by Sweep, Finish fails and creates no record.
	require.NoError(t, s.Records().Remove(t.Context(), f))
	_, err = s.Finish(t.Context(), ticket.Token, uploads.User{})
	require.ErrorIs(t, err, storage.Unavailable)
	_, err = s.Records().Record(t.Context(), f.ID)
	require.ErrorIs(t, err, storage.ObjectNotFound)
	require.Len(t, stored, 2)
}

// Remove fails for a file that a transaction has made permanent since the caller read it, and the file still counts.
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

	// Store a permanent file.
	f, err := s.Store(t.Context(), uploads.Upload{
		Body: strings.NewReader("content"),
		Name: "a",
		User: uploads.User{ID: "eva"},
	})
	require.NoError(t, err)
	usageBefore, err := s.Usage(t.Context(), "eva")
	require.NoError(t, err)

	// A caller that has read the file before the transaction still takes it for one that expires. It cannot remove it.
	f.Expires = time.Now()
	require.ErrorIs(t, s.Remove(t.Context(), f), storage.PreconditionFailed)
	usageAfter, err := s.Usage(t.Context(), "eva")
	require.NoError(t, err)
	require.Equal(t, usageBefore, usageAfter)

	// A caller that knows the file as permanent can remove it.
	f.Expires = time.Time{}
	require.NoError(t, s.Remove(t.Context(), f))
	usageAfter, err = s.Usage(t.Context(), "eva")
	require.NoError(t, err)
	require.Zero(t, usageAfter)
}
