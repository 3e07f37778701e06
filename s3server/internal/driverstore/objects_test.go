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

// The store's driver keeps each field of an object. The test fails if somebody adds a field that the driver does
// not get.
func TestObjectKeepsEachField(t *testing.T) {
	ctx := t.Context()
	s := newPhotosStore(t)
	require.NoError(t, s.ChangeBucket(ctx, "photos", func(b *state.Bucket) error {
		b.Versioning = state.Enabled
		b.Locking = &state.LockSettings{}
		return nil
	}))
	o := state.Object{
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
	o.Properties.Class = "STANDARD_IA"
	o.Properties.Tags = []tagging.Tag{{Key: "k", Value: "v"}, {Key: "z", Value: ""}}
	o.Properties.Header = http.Header{}
	for _, name := range append(state.SystemHeaders, metadataName+"own") {
		o.Properties.Header[name] = []string{"value of " + name}
	}

	u := &state.Upload{
		Bucket:    "photos",
		Key:       "k",
		Object:    o,
		Initiator: "210987654321",
		Kind:      checksum.ByName("CRC32C"),
		Covers:    checksum.Composite,
		Asked:     true,
	}
	require.NoError(t, s.BeginUpload(ctx, u))
	upload, err := s.Upload(ctx, "photos", "k", u.ID)
	require.NoError(t, err)
	wantUpload := *u
	wantUpload.Object.Upload = u.ID
	upload.Object.Data = nil
	upload.Object.ETag = ""

	upload.Object.Upload = u.ID
	require.Equal(t, &wantUpload, upload)
	u, err = s.Upload(ctx, "photos", "k", u.ID)
	require.NoError(t, err)

	var parts []*state.Part
	for n, text := range []string{"first", "last"} {
		d := checksum.NewDigest(u.Kind, false)
		p, err := s.PutPart(ctx, u, n+1, &state.Body{
			From:   teeReader(text, d),
			Size:   int64(len(text)),
			Digest: d,
			Check:  func() error { return nil },
		})
		require.NoError(t, err)
		parts = append(parts, p)
		o.Parts = append(o.Parts, state.ObjectPart{Offset: o.Size, Size: p.Size, Sum: p.Sum})
		o.Size += p.Size
	}
	o.ETag, o.Sum = `"0123456789abcdef0123456789abcdef-2"`, checksum.CompositeOf(u.Kind, state.SumsOf(parts))
	_, _, err = s.Complete(ctx, &state.Write{Bucket: "photos", Key: "k", Object: o}, u, parts)
	require.NoError(t, err)
	o.Upload = u.ID
	_, _, err = s.Change(ctx, state.VersionName{
		Bucket: "photos",
		Key:    "k",
	}, func(_ *state.Bucket, v *state.Version) error {
		v.Object.Restored = state.Restored{From: time.Unix(1, 2).UTC(), Until: time.Unix(3, 4).UTC()}
		return nil
	})
	require.NoError(t, err)
	o.Restored = state.Restored{From: time.Unix(1, 2).UTC(), Until: time.Unix(3, 4).UTC()}

	v, _, err := s.Find(ctx, state.VersionName{Bucket: "photos", Key: "k"})
	require.NoError(t, err)
	defer s.Release(v)
	fields := reflect.ValueOf(o)

	for i := range fields.NumField() {
		if name := fields.Type().Field(i).Name; name != "Data" && name != "StoreETag" { // what a driver makes
			require.False(t, fields.Field(i).IsZero(), "this test must set %s", name)
		}
	}

	object := v.Object
	object.Data = nil
	require.Equal(t, o, object)
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

// teeReader returns a body whose bytes go to a digest, too.
func teeReader(text string, d *checksum.Digest) *teed { return &teed{strings.NewReader(text), d} }

// A teed text is read into a digest.
type teed struct {
	from *strings.Reader
	to   *checksum.Digest
}

func (r *teed) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	_, _ = r.to.Write(p[:n])
	return n, err
}
