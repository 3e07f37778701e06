package memstore_test

import (
	"bytes"
	"context"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
)

func TestPutKeepsAllProperties(t *testing.T) {
	noon := time.Date(2026, 5, 1, 14, 0, 0, 123456789, time.FixedZone("CEST", 7200))
	d := memstore.NewDriver(memstore.Config{Now: func() time.Time { return noon }})
	sum := uint32(0x0badcafe)
	r := putRequest("a/b.txt", "content")
	r.CRC32C = storage.CRC32C{Sum: sum, Known: true}
	r.Properties = storage.Properties{
		ContentType:        "text/plain",
		ContentEncoding:    "gzip",
		ContentDisposition: "inline",
		ContentLanguage:    "de",
		CacheControl:       "no-cache",
		Metadata:           map[string]string{"owner": "zoë"},
		StorageClass:       "cold",
	}
	attrs, err := d.Put(t.Context(), r)
	require.NoError(t, err)
	sum = 0 // the object must have a copy

	headAttrs, err := head(d, "a/b.txt")
	require.NoError(t, err)
	require.Equal(t, attrs, headAttrs)
	require.Equal(t, r.Properties, headAttrs.Properties)
	require.Equal(t, "a/b.txt", headAttrs.Key)
	require.Equal(t, int64(7), headAttrs.Size)
	require.Equal(t, uint32(0x0badcafe), headAttrs.CRC32C.Sum)
	require.Equal(t, noon.UTC(), headAttrs.Modified)
	require.Equal(t, `"0badcafe-memory:1"`, headAttrs.ETag)
	require.Equal(t, "memory:1", headAttrs.Revision)
	require.Empty(t, headAttrs.Version)
	require.Nil(t, headAttrs.MD5)
	require.Equal(t, "content", get(t, d, "a/b.txt", ""))
}

// Put stores a checksum that is set at the end of the body.
func TestPutChecksumAtEnd(t *testing.T) {
	d := fresh()
	r := &driver.PutRequest{Key: "k", Size: -1}
	r.Body = &hooked{strings.NewReader("content"), func() {
		sum := uint32(42)
		r.CRC32C = storage.CRC32C{Sum: sum, Known: true}
	}}
	attrs, err := d.Put(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, uint32(42), attrs.CRC32C.Sum)

	require.False(t, put(t, d, "k", "content").CRC32C.Known, "the request has no checksum")
}

// Put stores bodies of every length.
func TestPutBodiesOfEveryLength(t *testing.T) {
	wraps := map[string]func(io.Reader) io.Reader{
		"plain":         func(r io.Reader) io.Reader { return r },
		"data with EOF": iotest.DataErrReader,
		"halves":        iotest.HalfReader,
	}
	for _, length := range []int{0, 1, 1023, 1024, 1025, 2047, 2048, 2049, 1 << 20, 5<<20 + 7} {
		content := bytes.Repeat([]byte("0123456789abcde"), length/15+1)[:length]
		for name, wrap := range wraps {
			for _, size := range []int64{-1, int64(length)} {
				d := fresh()
				attrs, err := d.Put(t.Context(),
					&driver.PutRequest{Key: "k", Body: wrap(bytes.NewReader(content)), Size: size})
				require.NoError(t, err)
				require.Equal(t, int64(length), attrs.Size)
				require.True(t, get(t, d, "k", "") == string(content), "%d bytes, %s, size %d",
					length, name, size)
			}
		}
	}
}

// Streams share no memory.
func TestPutStreamsShareNoMemory(t *testing.T) {
	for _, length := range []int{1 << 10, 64 << 10, 128 << 10, 1 << 20} {
		d := fresh()
		for _, letter := range []string{"a", "b", "c"} {
			_, err := d.Put(t.Context(), &driver.PutRequest{
				Key:  letter,
				Body: strings.NewReader(strings.Repeat(letter, length)),
				Size: -1,
			})
			require.NoError(t, err)
			_, err = d.Put(t.Context(),
				&driver.PutRequest{Key: "k", Body: broken(strings.Repeat("x", length), errBroken), Size: -1})
			require.ErrorIs(t, err, errBroken)
		}
		for _, letter := range []string{"a", "b", "c"} {
			require.True(t, get(t, d, letter, "") == strings.Repeat(letter, length), "%s of %d bytes",
				letter, length)
		}
	}
}

// A failed Put keeps the old object.
func TestPutFailsKeepsOldObject(t *testing.T) {
	sized := func(body io.Reader, size int64) *driver.PutRequest {
		return &driver.PutRequest{Key: "k", Body: body, Size: size}
	}
	guarded := func(c storage.Condition) *driver.PutRequest {
		r := putRequest("k", "new")
		r.Condition = c
		return r
	}
	tests := map[string]struct {
		request *driver.PutRequest
		want    error
	}{
		"the body fails":                     {sized(broken("ne", errBroken), 3), errBroken},
		"the body fails at its end":          {sized(broken("new", errBroken), 3), errBroken},
		"a stream fails":                     {sized(broken("ne", errBroken), -1), errBroken},
		"a stream fails at a chunk's end":    {sized(broken(strings.Repeat("x", 1024), errBroken), -1), errBroken},
		"a stream ends unexpectedly":         {sized(broken("ne", io.ErrUnexpectedEOF), -1), io.ErrUnexpectedEOF},
		"the body is shorter than its size":  {sized(strings.NewReader("ne"), 3), storage.BodyFailed},
		"the body is longer than its size":   {sized(strings.NewReader("new!"), 3), storage.BodyFailed},
		"the size is absurd":                 {sized(strings.NewReader("new"), 1<<62), storage.BodyFailed},
		"IfAbsent, and there is one":         {guarded(storage.Condition{Absent: true}), storage.PreconditionFailed},
		"IfRevision, and it differs":         {guarded(storage.Condition{Revision: "memory:7"}), storage.PreconditionFailed},
		"IfRevision, malformed":              {guarded(storage.Condition{Revision: "x"}), storage.PreconditionFailed},
		"IfRevision, in another spelling":    {guarded(storage.Condition{Revision: "memory:01"}), storage.PreconditionFailed},
		"IfRevision, in the form of an ETag": {guarded(storage.Condition{Revision: `"00000000-memory:1"`}), storage.PreconditionFailed},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := fresh()
			oldAttrs := put(t, d, "k", "old")

			_, err := d.Put(t.Context(), tt.request)
			require.ErrorIs(t, err, tt.want)
			newAttrs, err := head(d, "k")
			require.NoError(t, err)
			require.Equal(t, oldAttrs, newAttrs)
			require.Equal(t, "old", get(t, d, "k", ""))
		})
	}
}

// Put compares its condition with the object that is there.
func TestPutWithCondition(t *testing.T) {
	d := fresh()
	r := putRequest("k", "1")
	r.Condition.Revision = "memory:1"
	_, err := d.Put(t.Context(), r)
	require.ErrorIs(t, err, storage.PreconditionFailed, "there is no object")

	r = putRequest("k", "1")
	r.Condition.Absent = true
	first, err := d.Put(t.Context(), r)
	require.NoError(t, err)

	r = putRequest("k", "2")
	r.Condition.Revision = first.Revision
	second, err := d.Put(t.Context(), r)
	require.NoError(t, err)
	require.NotEqual(t, first.Revision, second.Revision)
	require.Equal(t, "2", get(t, d, "k", ""))
}

// Put of equal content has a new revision.
func TestPutOfEqualContentHasNewRevision(t *testing.T) {
	d := fresh()
	first := put(t, d, "k", "same")
	second := put(t, d, "k", "same")
	require.NotEqual(t, first.Revision, second.Revision)
	require.NotEqual(t, first.ETag, second.ETag)
}

// A body may read from the bucket to which Put writes it.
func TestPutBodyReadsBucket(t *testing.T) {
	d := fresh()
	put(t, d, "k", "content")
	_, body, err := d.Get(t.Context(), &driver.GetRequest{Key: "k", Length: -1})
	require.NoError(t, err)
	reading := &hooked{body, func() {
		put(t, d, "other", "written while the body is read")
		require.Len(t, listKeys(t, d), 2)
	}}
	_, err = d.Put(t.Context(), &driver.PutRequest{Key: "k", Body: reading, Size: -1})
	require.NoError(t, err)

	require.Equal(t, "content", get(t, d, "k", ""))
}

// If several writers create one object at the same time, exactly one of them succeeds.
func TestPutIfAbsentByMany(t *testing.T) {
	d := fresh()
	var won atomic.Int32
	var group sync.WaitGroup
	for range 32 {
		group.Go(func() {
			r := putRequest("k", "mine")
			r.Condition.Absent = true
			if _, err := d.Put(context.Background(), r); err == nil {
				won.Add(1)
			}
		})
	}
	group.Wait()
	require.Equal(t, int32(1), won.Load())
}

// While an object is overwritten, each reader gets bytes and attributes of the same write.
func TestGetBesideWrites(t *testing.T) {
	d := fresh()
	put(t, d, "k", "0")
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for i := range 200 {
				content := strings.Repeat("x", i)
				r := putRequest("k", content)
				r.ContentType = content
				if _, err := d.Put(context.Background(), r); err != nil {
					t.Error(err)
				}
			}
		})
		group.Go(func() {
			for range 200 {
				attrs, body, err := d.Get(context.Background(), &driver.GetRequest{Key: "k", Length: -1})
				if err != nil {
					t.Error(err)
					return
				}
				data, err := io.ReadAll(body)
				if err != nil || attrs.ContentType != "" && attrs.ContentType != string(data) {
					t.Errorf("%q described as %q, %v", data, attrs.ContentType, err)
				}
			}
		})
	}
	group.Wait()
}

// Calls of the driver fail if their ctx has ended.
func TestDriverCallsAfterContextEnds(t *testing.T) {
	for state, want := range map[string]error{"canceled": storage.Canceled, "expired": storage.DeadlineExceeded} {
		t.Run(state, func(t *testing.T) {
			d := fresh()
			put(t, d, "k", "old")
			upload, err := d.BeginParts(t.Context(), putRequest("k", ""))
			require.NoError(t, err)
			ctx, cancel := ctxIn(state)
			defer cancel()
			source := d.Locate("k")

			calls := map[string]func() error{
				"Put": func() error {
					_, err := d.Put(ctx, putRequest("k", "new"))
					return err
				},
				"Get": func() error {
					_, _, err := d.Get(ctx, &driver.GetRequest{Key: "k", Length: -1})
					return err
				},
				"Head": func() error {
					_, err := d.Head(ctx, &driver.GetRequest{Key: "k", Length: -1})
					return err
				},
				"List": func() error {
					_, err := d.List(ctx, &driver.ListRequest{Limit: 1})
					return err
				},
				"Delete": func() error { return d.Delete(ctx, &driver.DeleteRequest{Key: "k"}) },
				"BeginParts": func() error {
					_, err := d.BeginParts(ctx, putRequest("k", ""))
					return err
				},
				"PutPart": func() error {
					_, err := d.PutPart(ctx,
						&driver.PartRequest{Key: "k", Upload: upload, Number: 1, Body: strings.NewReader("")})
					return err
				},
				"CompleteParts": func() error {
					_, err := d.CompleteParts(ctx,
						&driver.CompleteRequest{Put: putRequest("k", ""), Upload: upload})
					return err
				},
				"AbortParts": func() error { return d.AbortParts(ctx, "k", upload) },
				"DeleteBatch": func() error {
					return d.DeleteBatch(ctx, []driver.DeleteRequest{{Key: "k"}})[0]
				},
				"Copy": func() error {
					_, err := d.Copy(ctx, &driver.CopyRequest{Source: source, Key: "k"})
					return err
				},
				"Compose": func() error {
					_, err := d.Compose(ctx,
						&driver.ComposeRequest{Sources: []driver.ObjectRef{source}, Key: "k"})
					return err
				},
				"ListVersions": func() error {
					_, err := d.ListVersions(ctx, &driver.ListRequest{Limit: 1})
					return err
				},
			}
			for name, call := range calls {
				require.ErrorIs(t, call(), want, name)
			}
			require.Equal(t, "old", get(t, d, "k", ""))
		})
	}
}

// If ctx ends while Put reads the end of the body, Put stores nothing.
func TestPutContextEndsWithBody(t *testing.T) {
	for name, size := range map[string]int64{"known size": 3, "stream": -1} {
		t.Run(name, func(t *testing.T) {
			d := fresh()
			ctx, cancel := context.WithCancel(t.Context())
			body := &hooked{strings.NewReader("new"), cancel}
			_, err := d.Put(ctx, &driver.PutRequest{Key: "k", Body: body, Size: size})
			require.ErrorIs(t, err, storage.Canceled)
			require.Empty(t, listKeys(t, d))
		})
	}
}
