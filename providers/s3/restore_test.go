package s3

import (
	"maps"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/s3/internal/attributes"
	"github.com/omnibucket/storage/s3server"
)

// headOf returns a response to HeadObject.
func headOf(header map[string]string) reply {
	header = maps.Clone(header)
	header["ETag"] = etag
	return reply{Header: header}
}

// Restore reads the object, and asks for a restored copy for some days. It succeeds if the copy exists
// or is being made already.
func TestRestoreRequest(t *testing.T) {
	archived := map[string]string{"X-Amz-Storage-Class": "GLACIER"}
	tests := map[string]struct {
		head     map[string]string // the headers of the object, which show its state
		tier     string
		response reply        // to the POST
		wantBody []string     // parts of the body of the POST
		want     storage.Code // "": success
	}{
		"an archived object": {
			head:     archived,
			response: reply{Status: 202},
			wantBody: []string{"<Days>3</Days>", "<Tier>Standard</Tier>"},
		},
		"an archived object, in a fast tier": {
			head:     archived,
			tier:     "Expedited",
			response: reply{Status: 202},
			wantBody: []string{"<Tier>Expedited</Tier>"},
		},
		"an object with a restored copy, which is kept longer": {
			head: map[string]string{
				"X-Amz-Restore": `ongoing-request="false", expiry-date="Fri, 21 Dec 2012 00:00:00 GMT"`,
			},
			response: reply{},
			wantBody: []string{"<Days>3</Days>"},
		},
		"an archived object of the class Intelligent-Tiering": {
			head:     map[string]string{"X-Amz-Archive-Status": "ARCHIVE_ACCESS"},
			tier:     "Bulk",
			response: reply{Status: 202},
			wantBody: []string{"<Tier>Bulk</Tier>"},
		},
		// https://docs.aws.amazon.com/AmazonS3/latest/userguide/restoring-objects.html#restoring-objects-upgrade-tier.title.html
		"a restore in progress, in a faster tier": {
			head:     map[string]string{"X-Amz-Restore": `ongoing-request="true"`},
			tier:     "Expedited",
			response: reply{Status: 202},
			wantBody: []string{"<Tier>Expedited</Tier>"},
		},
		// If a copy is being made, Restore succeeds as after a new request.
		"a restore in progress, in a slower tier": {
			head:     map[string]string{"X-Amz-Restore": `ongoing-request="true"`},
			tier:     "Bulk",
			response: errorReply(409, "RestoreAlreadyInProgress", ""),
		},
		"a restore that another client has begun": {
			head:     archived,
			response: errorReply(409, "RestoreAlreadyInProgress", ""),
		},
		// This object can be read without a restored copy.
		"an object that is not archived": {
			head: map[string]string{},
			response: errorReply(403, "InvalidObjectState",
				"Restore is not allowed for the object's current storage class"),
		},
		"no permission": {
			head:     archived,
			response: errorReply(403, "AccessDenied", ""),
			want:     storage.PermissionDenied,
		},
		"no capacity in the fast tier": {
			head:     archived,
			tier:     "Expedited",
			response: errorReply(503, "GlacierExpeditedRetrievalNotAvailable", ""),
			want:     storage.Unavailable,
		},
		"an object that was removed meanwhile": {
			head:     archived,
			response: errorReply(404, "NoSuchKey", ""),
			want:     storage.ObjectNotFound,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			server := newStandIn(t, headOf(tt.head), tt.response)
			err := server.openDriver(t, "aws").Restore(t.Context(), &driver.ChangeRequest{
				Key:         "k",
				Version:     "v",
				RestoreDays: 3,
				RestoreTier: tt.tier,
			})
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
			require.Equal(t, []string{"HEAD /photos/k?versionId=v", "POST /photos/k?restore=&versionId=v"},
				server.Lines())
			body := string(server.Last(t).Body)
			for _, want := range tt.wantBody {
				require.Contains(t, body, want)
			}

			// A restored copy of an object in a tier of Intelligent-Tiering does not expire, so the
			// request has no days.
			isIntelligentTiering := tt.head["X-Amz-Archive-Status"] != ""
			require.Equal(t, !isIntelligentTiering, strings.Contains(body, "<Days>"))
		})
	}
}

// Restore sends no request for another restored copy while one is in progress.
func TestRestoreInProgress(t *testing.T) {
	server := newStandIn(t, headOf(map[string]string{"X-Amz-Restore": `ongoing-request="true"`}))
	d := server.openDriver(t, "aws")

	require.NoError(t, d.Restore(t.Context(), &driver.ChangeRequest{Key: "k", RestoreDays: 1}))
	require.Equal(t, []string{"HEAD /photos/k"}, server.Lines())
}

// Restore fails with ObjectNotFound if there is no object.
func TestRestoreMissing(t *testing.T) {
	d := newStandIn(t, errorReply(404, "NoSuchKey", ""), reply{}).openDriver(t, "aws")
	err := d.Restore(t.Context(), &driver.ChangeRequest{Key: "k", RestoreDays: 1})
	require.ErrorIs(t, err, storage.ObjectNotFound)
}

// RestoreState reads the header that says whether a restored copy exists or is in progress, and
// ignores a malformed value.
func TestRestoreState(t *testing.T) {
	for value, want := range map[string]storage.RestoreState{
		"":                       {},
		`ongoing-request="true"`: {InProgress: true},
		`ongoing-request="false", expiry-date="Fri, 21 Dec 2012 00:00:00 GMT"`: {Until: time.Date(2012, 12, 21, 0, 0, 0, 0, time.UTC)},
		`ongoing-request="false", expiry-date="soon"`:                          {},
		`ongoing-request="false", expiry-date="`:                               {},
	} {
		require.Equal(t, want, attributes.RestoreState(&value), value)
		require.Equal(t, want, attributes.RestoreState(aws.String(value)), value)
	}
	require.Zero(t, attributes.RestoreState(nil), "a response without the header must have no state")
}

// Attrs.Archived is true if the object has to be restored before it can be read.
func TestArchived(t *testing.T) {
	tests := map[string]struct {
		header map[string]string
		want   bool
	}{
		"no storage class":             {header: map[string]string{}},
		"a class that is read at once": {header: map[string]string{"X-Amz-Storage-Class": "GLACIER_IR"}},
		"a class that is restored first": {
			header: map[string]string{"X-Amz-Storage-Class": "DEEP_ARCHIVE"},
			want:   true,
		},
		"an object that is being restored": {
			header: map[string]string{
				"X-Amz-Storage-Class": "GLACIER",
				"X-Amz-Restore":       `ongoing-request="true"`,
			},
			want: true,
		},
		"an object with a restored copy": {
			header: map[string]string{
				"X-Amz-Storage-Class": "GLACIER",
				"X-Amz-Restore":       `ongoing-request="false", expiry-date="Fri, 21 Dec 2012 00:00:00 GMT"`,
			},
		},
		"the class Intelligent-Tiering": {
			header: map[string]string{"X-Amz-Storage-Class": "INTELLIGENT_TIERING"},
		},
		"an archive tier of Intelligent-Tiering": {
			header: map[string]string{
				"X-Amz-Storage-Class":  "INTELLIGENT_TIERING",
				"X-Amz-Archive-Status": "ARCHIVE_ACCESS",
			},
			want: true,
		},
	}

	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			// With NativeAttrs, the SDK reads the response. Otherwise, the raw client reads it.
			for _, native := range []bool{false, true} {
				d := newStandIn(t, headOf(tt.header)).openDriver(t, "aws")
				attrs, err := d.Head(t.Context(), &driver.GetRequest{Key: "k", NativeAttrs: native})
				require.NoError(t, err)
				require.Equal(t, tt.want, attrs.Archived, "native: %t", native)
			}
		})
	}
}

// An archived object cannot be read or copied until it is restored. The restored copy lasts for the days of
// the latest Restore.
func TestRestoreArchived(t *testing.T) {
	var ahead atomic.Int64 // of the server's clock
	now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	server, err := s3server.Start(s3server.Config{
		Strict:      true,
		Buckets:     []string{"photos"},
		Now:         now,
		RestoreTime: time.Minute,
	})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	b, err := Open(t.Context(), Config{
		Bucket:      "photos",
		Endpoint:    server.URL,
		Region:      "us-east-1",
		Profile:     newProfile(t, "aws"),
		AccessKeyID: s3server.DefaultAccessKeyID,
		SecretKey:   s3server.DefaultSecretKey,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
	ctx := t.Context()

	// An archived object can be neither read nor copied.
	_, err = b.Upload(ctx, "a", strings.NewReader("cold"), storage.WithStorageClass("GLACIER"))
	require.NoError(t, err)
	_, _, err = storage.ReadAll(ctx, b, "a")
	require.ErrorIs(t, err, storage.Archived)
	require.ErrorContains(t, err, "storage.Restore")
	_, err = storage.Copy(ctx, b, "b", b, "a")
	require.ErrorIs(t, err, storage.Archived)

	// The object is being restored for a minute.
	require.NoError(t, storage.Restore(ctx, b, "a", storage.WithRestoreDays(2)))
	attrs, err := b.Attrs(ctx, "a")
	require.NoError(t, err)
	require.Equal(t, storage.RestoreState{InProgress: true}, attrs.Restore)
	require.True(t, attrs.Archived)
	require.NoError(t, storage.Restore(ctx, b, "a"))
	ahead.Add(int64(50 * time.Second))
	_, _, err = storage.ReadAll(ctx, b, "a")
	require.ErrorIs(t, err, storage.Archived)

	// After the restore, the object can be read for two days.
	ahead.Add(int64(20 * time.Second))
	got, _, err := storage.ReadAll(ctx, b, "a")
	require.NoError(t, err)
	require.Equal(t, "cold", string(got))
	attrs, err = b.Attrs(ctx, "a")
	require.NoError(t, err)
	require.False(t, attrs.Restore.InProgress)
	require.False(t, attrs.Archived)
	require.WithinDuration(t, now().AddDate(0, 0, 2), attrs.Restore.Until, 30*time.Second)

	// Another Restore extends that time.
	require.NoError(t, storage.Restore(ctx, b, "a", storage.WithRestoreDays(5)))
	attrs, err = b.Attrs(ctx, "a")
	require.NoError(t, err)
	require.WithinDuration(t, now().AddDate(0, 0, 5), attrs.Restore.Until, 30*time.Second)

	// Restore does nothing for an object that is not archived.
	_, err = b.Upload(ctx, "warm", strings.NewReader("x"))
	require.NoError(t, err)
	require.NoError(t, storage.Restore(ctx, b, "warm"))

	require.ErrorIs(t, storage.Restore(ctx, b, "missing"), storage.ObjectNotFound)
	err = storage.Restore(ctx, b, "a", storage.WithRestoreTier("Warp"))
	require.ErrorIs(t, err, storage.InvalidArgument)
}
