package driverstore

import (
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/s3server/internal/acl"
	"github.com/omnibucket/storage/s3server/internal/checksum"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/tagging"
)

// The store keeps each field of an object and of an upload. If somebody adds a field of an object,
// this test fails until the test sets the field.
func TestObjectKeepsEachField(t *testing.T) {
	ctx := t.Context()
	s := newPhotosStore(t)
	require.NoError(t, s.ChangeBucket(ctx, "photos", func(b *state.Bucket) error {
		b.Versioning = state.Enabled
		b.Locking = &state.LockSettings{}
		return nil
	}))

	// The object has a value in each field that is known before its content.
	want := state.Object{
		Account: "210987654321",
		ACL:     acl.List{{Grantee: acl.AllUsers, Permission: acl.PermitRead}},
		Encryption: state.Encryption{
			Algorithm:   state.ByKMS,
			KMSKey:      "a key",
			BucketKey:   true,
			CustomerMD5: "no",
		},
		Lock: state.Lock{
			Mode:  state.Governance,
			Until: time.Now().UTC().Add(time.Hour).Truncate(time.Second),
			Hold:  "ON",
		},
	}
	want.Properties.Class = "STANDARD_IA"
	want.Properties.Tags = []tagging.Tag{{Key: "k", Value: "v"}, {Key: "z", Value: ""}}
	want.Properties.Header = http.Header{}
	for _, name := range append(state.SystemHeaders, metadataName+"own") {
		want.Properties.Header[name] = []string{"value of " + name}
	}

	// An upload of the object keeps the fields.
	begun := &state.Upload{
		Bucket:       "photos",
		Key:          "k",
		Object:       want,
		Initiator:    "210987654321",
		Kind:         checksum.ByName("CRC32C"),
		Covers:       checksum.Composite,
		HasAlgorithm: true,
	}
	require.NoError(t, s.BeginUpload(ctx, begun))
	upload, err := s.Upload(ctx, "photos", "k", begun.ID)
	require.NoError(t, err)
	requireSameUpload(t, begun, upload)

	// Complete the upload with two parts.
	var parts []*state.Part
	for n, text := range []string{"first", "last"} {
		digest := checksum.NewDigest(upload.Kind, false)
		part, err := s.PutPart(ctx, upload, n+1, &state.Body{
			From:   teeReader(text, digest),
			Size:   int64(len(text)),
			Digest: digest,
			Check:  func() error { return nil },
		})
		require.NoError(t, err)
		parts = append(parts, part)
		want.Parts = append(want.Parts, state.ObjectPart{Offset: want.Size, Size: part.Size, Sum: part.Sum})
		want.Size += part.Size
	}
	want.ETag = `"0123456789abcdef0123456789abcdef-2"`
	want.Sum = checksum.CompositeOf(upload.Kind, state.SumsOf(parts))
	_, _, err = s.Complete(ctx, &state.Write{Bucket: "photos", Key: "k", Object: want}, upload, parts)
	require.NoError(t, err)
	want.Upload = upload.ID

	// Set the field that only a change of an object sets.
	want.Restored = state.Restored{From: time.Unix(1, 2).UTC(), Until: time.Unix(3, 4).UTC()}
	name := state.VersionName{Bucket: "photos", Key: "k"}
	_, _, err = s.Change(ctx, name, func(_ *state.Bucket, v *state.Version) error {
		v.Object.Restored = want.Restored
		return nil
	})
	require.NoError(t, err)

	// The test has set all fields but those that the driver sets.
	fields := reflect.ValueOf(want)
	for i := range fields.NumField() {
		name := fields.Type().Field(i).Name
		if name == "Data" || name == "StoreETag" {
			continue
		}
		require.False(t, fields.Field(i).IsZero(), "this test must set %s", name)
	}

	// The store returns the object with the same fields.
	v, _, err := s.Find(ctx, name)
	require.NoError(t, err)
	defer s.Release(v)
	got := v.Object
	got.Data = nil
	require.Equal(t, want, got)
}

// requireSameUpload requires that an upload is read as it was begun. The fields that the driver
// sets do not count.
func requireSameUpload(t *testing.T, begun, read *state.Upload) {
	t.Helper()
	want, got := *begun, *read
	want.Object.Upload = begun.ID
	got.Object.Upload = begun.ID
	got.Object.Data = nil
	got.Object.ETag = ""
	require.Equal(t, want, got)
}

// newPhotosStore returns a store in memory with one bucket.
func newPhotosStore(t *testing.T) *Store {
	t.Helper()
	s := New(Config{
		Service: memstore.NewServiceDriver(memstore.ServiceConfig{}),
		Now:     func() time.Time { return time.Now().UTC() },
		Account: "1",
		Region:  "us-east-1",
	})
	t.Cleanup(s.Close)
	_, err := s.CreateBucket(t.Context(), &state.Bucket{Name: "photos", Account: "1", Region: "us-east-1"})
	require.NoError(t, err)
	return s
}

// teeReader returns a body that also writes its bytes to a digest.
func teeReader(text string, d *checksum.Digest) *teed { return &teed{strings.NewReader(text), d} }

// A teed is a text whose bytes also go to a digest when it is read.
type teed struct {
	from *strings.Reader
	to   *checksum.Digest
}

func (r *teed) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	_, _ = r.to.Write(p[:n])
	return n, err
}
