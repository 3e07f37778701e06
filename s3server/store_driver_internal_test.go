package s3server

import (
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/s3server/internal/checksum"
	"github.com/omnibucket/storage/s3server/internal/tagging"
)

// A new field of an object that a driver does not get would be forgotten.
func TestEveryFieldOfAnObjectIsKept(t *testing.T) {
	h := New(Config{Service: memstore.NewServiceDriver(memstore.ServiceConfig{}), Buckets: []string{"photos"}})
	defer h.Close()
	ctx, s := t.Context(), h.store
	require.NoError(t, s.changeBucket(ctx, "photos", func(b *bucket) error {
		b.versioning, b.locking = enabled, &lockSettings{}
		return nil
	}))
	o := object{
		account: "210987654321", acl: accessList{{allUsers, permitRead}},
		encryption: encryption{algorithm: byKMS, kmsKey: "a key", bucketKey: true, customerMD5: "no"},
		lock:       lock{mode: governance, until: time.Now().UTC().Add(time.Hour).Truncate(time.Second), hold: "ON"},
	}
	o.properties.class, o.properties.tags = "STANDARD_IA", []tagging.Tag{{Key: "k", Value: "v"}, {Key: "z", Value: ""}}
	o.properties.header = http.Header{}
	for _, name := range append(systemHeaders, metadataName+"own") {
		o.properties.header[name] = []string{"value of " + name}
	}
	u := &upload{bucket: "photos", key: "k", object: o, initiator: "210987654321", kind: checksum.ByName("CRC32C"), covers: checksum.Composite, asked: true}
	require.NoError(t, s.beginUpload(ctx, u))
	found, err := s.upload(ctx, "photos", "k", u.id)
	require.NoError(t, err)
	begun := *u
	begun.object.upload = u.id
	found.object.data, found.object.etag, found.object.upload = nil, "", u.id
	require.Equal(t, &begun, found)
	u, err = s.upload(ctx, "photos", "k", u.id)
	require.NoError(t, err)

	var parts []*part
	for n, text := range []string{"first", "last"} {
		d := checksum.NewDigest(u.kind, false)
		p, err := s.putPart(ctx, u, n+1, &body{from: teeReader(text, d), size: int64(len(text)), digest: d, check: func() error { return nil }})
		require.NoError(t, err)
		parts = append(parts, p)
		o.parts = append(o.parts, objectPart{o.size, p.size, p.sum})
		o.size += p.size
	}
	o.etag, o.sum = `"0123456789abcdef0123456789abcdef-2"`, checksum.CompositeOf(u.kind, sumsOf(parts))
	_, _, err = s.complete(ctx, &write{bucket: "photos", key: "k", object: o}, u, parts)
	require.NoError(t, err)
	o.upload = u.id
	_, _, err = s.change(ctx, versionName{bucket: "photos", key: "k"}, func(_ *bucket, v *version) error {
		v.object.restored = restored{time.Unix(1, 2).UTC(), time.Unix(3, 4).UTC()}
		return nil
	})
	require.NoError(t, err)
	o.restored = restored{time.Unix(1, 2).UTC(), time.Unix(3, 4).UTC()}

	v, _, err := s.find(ctx, versionName{bucket: "photos", key: "k"})
	require.NoError(t, err)
	defer s.release(v)
	fields := reflect.ValueOf(o)
	for i := range fields.NumField() {
		if name := fields.Type().Field(i).Name; name != "data" {
			require.False(t, fields.Field(i).IsZero(), "this test must set %s", name)
		}
	}
	kept := v.object
	kept.data = nil
	require.Equal(t, o, kept)
}

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
