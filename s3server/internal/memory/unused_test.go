package memory

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server/internal/checksum"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// The store releases unused blobs, as its count of bytes shows.
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
	holds := func(text string, why ...any) {
		t.Helper()
		require.EqualValues(t, len(text), s.blobs.bytes.used, why...)
	}
	require.NoError(t, put("a", "one"))

	require.NoError(t, put("a", "second"))
	holds("second", "the replaced blob must be released")

	_, _, err := s.Put(ctx, &state.Write{
		Bucket:    "photos",
		Key:       "a",
		Condition: state.WriteCondition{Absent: true},
	}, textBody("three", 5))
	require.True(t, s3error.Is(err, "PreconditionFailed"), err)
	damaged := textBody("three", 5)
	damaged.Check = func() error { return s3error.New("BadDigest") }
	_, _, err = s.Put(ctx, &state.Write{Bucket: "photos", Key: "a"}, damaged)
	require.True(t, s3error.Is(damaged.Blame(err), "BadDigest"), err)
	holds("second", "the refused blob must be released")

	v, _, err := s.Find(ctx, state.VersionName{Bucket: "photos", Key: "a"})
	require.NoError(t, err)
	_, _, err = s.Copy(ctx, &state.Write{Bucket: "photos", Key: "b", Object: v.Object}, v)
	require.NoError(t, err)

	s.Release(v)
	holds("second", "a copy shares its bytes")
	remove("a")
	holds("second")

	begin := func() *state.Upload {
		u := &state.Upload{Bucket: "photos", Key: "b", Kind: checksum.Default}
		require.NoError(t, s.BeginUpload(ctx, u))
		return u
	}
	part := func(u *state.Upload, number int, text string) *state.Part {
		p, err := s.PutPart(ctx, u, number, textBody(text, int64(len(text))))
		require.NoError(t, err)
		return p
	}
	u := begin()
	replaced := part(u, 1, "replaced part")
	first := part(u, 1, "the first part")

	part(u, 2, "not asked for")
	holds("second" + "the first part" + "not asked for")
	_, _, err = s.Complete(ctx, &state.Write{Bucket: "photos", Key: "b"}, u, []*state.Part{replaced})
	require.True(t, s3error.Is(err, "InvalidPart"), err)
	holds("second"+"the first part"+"not asked for", "the upload is still there")

	_, _, err = s.Complete(ctx, &state.Write{Bucket: "photos", Key: "b"}, u, []*state.Part{first})
	require.NoError(t, err)
	holds("the first part")

	u = begin()
	part(u, 1, "of an upload that is aborted")
	require.NoError(t, s.Abort(ctx, u))
	remove("b")
	holds("")
}
