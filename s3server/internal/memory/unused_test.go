package memory

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server/internal/checksum"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// The store releases the blobs of objects and parts that are replaced, refused, removed or aborted.
// Its count of bytes shows this.
func TestBlobsUnusedAreReleased(t *testing.T) {
	ctx := t.Context()
	s := newStore(t, 0)
	put := func(key, text string) error {
		_, _, err := s.Put(ctx, &state.Write{Bucket: "photos", Key: key}, textBody(text, int64(len(text))))
		return err
	}
	remove := func(key string) {
		_, err := s.Remove(ctx, &state.RemoveRequest{
			VersionName: state.VersionName{Bucket: "photos", Key: key},
		})
		require.NoError(t, err)
	}
	beginUpload := func() *state.Upload {
		u := &state.Upload{Bucket: "photos", Key: "b", Kind: checksum.Default}
		require.NoError(t, s.BeginUpload(ctx, u))
		return u
	}
	putPart := func(u *state.Upload, number int, text string) *state.Part {
		p, err := s.PutPart(ctx, u, number, textBody(text, int64(len(text))))
		require.NoError(t, err)
		return p
	}

	// requireHeld requires that the store holds only the bytes of these texts.
	requireHeld := func(texts ...string) {
		t.Helper()
		require.EqualValues(t, len(strings.Join(texts, "")), s.blobs.bytes.used)
	}

	// A replaced object is released.
	require.NoError(t, put("a", "first object"))
	require.NoError(t, put("a", "second"))
	requireHeld("second")

	// A body is released if a condition or its checksum fails.
	const refused = "refused text"
	_, _, err := s.Put(ctx, &state.Write{
		Bucket:    "photos",
		Key:       "a",
		Condition: state.WriteCondition{Absent: true},
	}, textBody(refused, int64(len(refused))))
	require.True(t, s3error.Is(err, "PreconditionFailed"), err)

	damaged := textBody(refused, int64(len(refused)))
	damaged.Check = func() error { return s3error.New("BadDigest") }
	_, _, err = s.Put(ctx, &state.Write{Bucket: "photos", Key: "a"}, damaged)
	require.True(t, s3error.Is(damaged.Cause(err), "BadDigest"), err)
	requireHeld("second")

	// A copy shares the blob of its source, and keeps it after the source is removed.
	source, _, err := s.Find(ctx, state.VersionName{Bucket: "photos", Key: "a"})
	require.NoError(t, err)
	_, _, err = s.Copy(ctx, &state.Write{Bucket: "photos", Key: "b", Object: source.Object}, source)
	require.NoError(t, err)
	s.Release(source)
	requireHeld("second")

	remove("a")
	requireHeld("second")

	// A replaced part is released.
	upload := beginUpload()
	replaced := putPart(upload, 1, "replaced part")
	first := putPart(upload, 1, "the first part")
	putPart(upload, 2, "unused part")
	requireHeld("second", "the first part", "unused part")

	// A completion that names the replaced part fails, and releases nothing.
	_, _, err = s.Complete(ctx, &state.Write{Bucket: "photos", Key: "b"}, upload, []*state.Part{replaced})
	require.True(t, s3error.Is(err, "InvalidPart"), err)
	requireHeld("second", "the first part", "unused part")

	// A completion releases the replaced object and the unused part.
	_, _, err = s.Complete(ctx, &state.Write{Bucket: "photos", Key: "b"}, upload, []*state.Part{first})
	require.NoError(t, err)
	requireHeld("the first part")

	// An abort releases the parts of its upload. A removal releases the object.
	aborted := beginUpload()
	putPart(aborted, 1, "part of the aborted upload")
	require.NoError(t, s.Abort(ctx, aborted))
	remove("b")
	requireHeld()
}
