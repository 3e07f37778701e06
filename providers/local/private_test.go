package local

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

func TestPrivateObjectsAreNotInTheBucketAndEndWithIt(t *testing.T) {
	s, root := service(t)
	ctx := t.Context()
	_, err := s.PrivateDriver(ctx, "one", true)
	require.ErrorIs(t, err, storage.BucketNotFound)
	require.NoError(t, os.Mkdir(filepath.Join(root, "one"), 0o777))
	_, err = s.PrivateDriver(ctx, "one", false)
	require.ErrorIs(t, err, storage.BucketNotFound)
	require.NoDirExists(t, filepath.Join(root, "one", reserved), "looking changes nothing")
	_, err = s.PrivateDriver(ctx, "../one", true)
	require.ErrorIs(t, err, storage.BucketNotFound)

	d, err := s.PrivateDriver(ctx, "one", true)
	require.NoError(t, err)
	_, err = d.Put(ctx, &storage.PutRequest{Key: "record", Body: strings.NewReader("kept"), Size: 4})
	require.NoError(t, err)
	require.NoError(t, d.Close())
	d, err = s.PrivateDriver(ctx, "one", false)
	require.NoError(t, err)
	defer func() { require.NoError(t, d.Close()) }()
	_, body, err := d.Get(ctx, &storage.GetRequest{Key: "record", Length: -1})
	require.NoError(t, err)
	content, err := io.ReadAll(body)
	require.NoError(t, err)
	require.NoError(t, body.Close())
	require.Equal(t, "kept", string(content))

	page, err := s.bucket(t, "one", root).List(ctx, &storage.ListRequest{Limit: 10})
	require.NoError(t, err)
	require.Empty(t, page.Entries)
	require.NoError(t, s.DeleteBucket(ctx, "one"), "private objects do not keep a bucket")
	require.NoDirExists(t, filepath.Join(root, "one"))
}

func TestABodyMayAddMetadataUntilItsEnd(t *testing.T) {
	s, root := service(t)
	require.NoError(t, os.Mkdir(filepath.Join(root, "one"), 0o777))
	b := s.bucket(t, "one", root)
	require.NotZero(t, b.Describe().Features&storage.LateMetadata)
	r := &storage.PutRequest{Key: "k", Size: -1, Properties: storage.Properties{Metadata: map[string]string{}}}
	r.Body = io.MultiReader(strings.NewReader("content"), atEnd(func() { r.Metadata["late"] = "yes" }))
	_, err := b.Put(t.Context(), r)
	require.NoError(t, err)
	a, err := b.Head(t.Context(), &storage.GetRequest{Key: "k", Length: -1})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"late": "yes"}, a.Metadata)
}

// atEnd is an empty reader that calls itself.
type atEnd func()

func (f atEnd) Read([]byte) (int, error) {
	f()
	return 0, io.EOF
}
