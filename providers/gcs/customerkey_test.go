package gcs_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/gcs"
)

var (
	customerKey      = bytes.Repeat([]byte("k"), 32)
	otherCustomerKey = bytes.Repeat([]byte("o"), 32)

	// threeParts is content that uploadWithKey sends in three parts.
	threeParts = strings.Repeat("0123456789abcdef", 700<<10/16)
)

// eachUploadMode runs a test twice, each time on a new bucket: with one request for each upload,
// and with parallel composite uploads. Afterwards, the bucket has no parts.
func eachUploadMode(t *testing.T, test func(t *testing.T, bucket storage.Bucket)) {
	for name, composite := range map[string]bool{"own requests": false, "parallel composite": true} {
		t.Run(name, func(t *testing.T) {
			server := startRuleServer(t)
			config := gcs.Config{
				Bucket:            server.bucket(ruleBucket{}),
				Endpoint:          server.URL,
				ParallelComposite: composite,
			}
			bucket, err := gcs.Open(t.Context(), config)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, storage.Close(bucket)) })

			test(t, bucket)
			for _, name := range server.names(config.Bucket) {
				require.False(t, strings.HasPrefix(name, reserved), name)
			}
		})
	}
}

// uploadWithKey uploads a new object in parts of 256 KiB. The object is encrypted with customerKey,
// and has a tag.
func uploadWithKey(t *testing.T, bucket storage.Bucket, key, content string) *storage.Attrs {
	t.Helper()
	attrs, err := bucket.Upload(t.Context(), key, strings.NewReader(content),
		gcs.WithCustomerKey(customerKey),
		storage.IfAbsent(),
		storage.WithTags(map[string]string{"k": "v"}),
		storage.WithPartSize(256<<10))
	require.NoError(t, err)
	return attrs
}

// requireContent requires that a read with these options returns the content.
func requireContent(t *testing.T, bucket storage.Bucket, key, content string, opts ...storage.DownloadOption) {
	t.Helper()
	got, _, err := storage.ReadAll(t.Context(), bucket, key, opts...)
	require.NoError(t, err)
	require.Equal(t, content, string(got))
}

// requireUnreadable requires that a read with these options fails, and that the error's hint names
// the option for a key.
func requireUnreadable(t *testing.T, bucket storage.Bucket, key string, opts ...storage.DownloadOption) {
	t.Helper()
	_, _, err := storage.ReadAll(t.Context(), bucket, key, opts...)
	var storageErr *storage.Error
	require.ErrorAs(t, err, &storageErr)
	require.Equal(t, storage.InvalidArgument, storageErr.Code, "%v", err)
	require.Contains(t, storageErr.Hint, "WithCustomerKey")
}

// An object with a customer's key can be read only with that key. Without the key, Attrs has no checksum, and Remove
// succeeds.
func TestWithCustomerKeyObjects(t *testing.T) {
	sum := sha256.Sum256(customerKey)
	encryption := storage.Encryption{Algorithm: "AES256", KeyID: base64.StdEncoding.EncodeToString(sum[:])}
	withKey := gcs.WithCustomerKey(customerKey)

	eachUploadMode(t, func(t *testing.T, bucket storage.Bucket) {
		for _, content := range []string{"one part", threeParts} {
			attrs := uploadWithKey(t, bucket, "a", content)
			require.Equal(t, encryption, attrs.Encryption)

			attrs, err := bucket.Attrs(t.Context(), "a", withKey)
			require.NoError(t, err)
			require.Equal(t, encryption, attrs.Encryption)
			require.True(t, attrs.CRC32C.Known)

			attrs, err = bucket.Attrs(t.Context(), "a")
			require.NoError(t, err)
			require.False(t, attrs.CRC32C.Known, "without the key")

			requireContent(t, bucket, "a", content, withKey)
			requireContent(t, bucket, "a", content[2:], withKey, storage.WithRange(2, -1))
			// The object cannot be read without a key or with another key.
			requireUnreadable(t, bucket, "a")
			requireUnreadable(t, bucket, "a", gcs.WithCustomerKey(otherCustomerKey))
			require.NoError(t, bucket.Remove(t.Context(), "a"))
		}
	})
}

// SetTags and a ReaderAt of an object with a customer's key succeed with the key.
func TestWithCustomerKeyTagsAndReaderAt(t *testing.T) {
	withKey := gcs.WithCustomerKey(customerKey)
	eachUploadMode(t, func(t *testing.T, bucket storage.Bucket) {
		uploadWithKey(t, bucket, "a", "text")
		require.NoError(t, storage.SetTags(t.Context(), bucket, "a", map[string]string{"new": "1"}, withKey))

		r, err := storage.NewReaderAt(t.Context(), bucket, "a", withKey)
		require.NoError(t, err)
		p := make([]byte, 2)
		_, err = r.ReadAt(p, 1)
		require.NoError(t, err)
		require.Equal(t, "ex", string(p))
	})
}

// Copy of an object with a customer's key needs that key in WithSourceCustomerKey. It encrypts the
// copy only if WithCustomerKey gives a key for the copy.
func TestWithCustomerKeyCopies(t *testing.T) {
	withSourceKey := gcs.WithSourceCustomerKey(customerKey)
	withKey := gcs.WithCustomerKey(customerKey)
	withOtherKey := gcs.WithCustomerKey(otherCustomerKey)

	eachUploadMode(t, func(t *testing.T, bucket storage.Bucket) {
		ctx := t.Context()
		uploadWithKey(t, bucket, "source", threeParts)

		// The copy has no key.
		_, err := storage.Copy(ctx, bucket, "plain", bucket, "source", withSourceKey)
		require.NoError(t, err)
		requireContent(t, bucket, "plain", threeParts)
		requireUnreadable(t, bucket, "plain", withKey)

		// The copy has another key.
		_, err = storage.Copy(ctx, bucket, "other", bucket, "source", withSourceKey, withOtherKey)
		require.NoError(t, err)
		requireContent(t, bucket, "other", threeParts, withOtherKey)

		// Copy does not take the key of the source from WithCustomerKey.
		_, err = storage.Copy(ctx, bucket, "fails", bucket, "source", withKey)
		require.Equal(t, storage.InvalidArgument, storage.CodeOf(err), "the source has a key: %v", err)
	})
}

// Compose joins objects that have a customer's key, even into an object with another key. If the
// keys differ, it streams the bytes, because a compose request of Google has one key for all
// objects.
func TestWithCustomerKeyCompositions(t *testing.T) {
	withSourceKey := gcs.WithSourceCustomerKey(customerKey)
	withKey := gcs.WithCustomerKey(customerKey)
	withOtherKey := gcs.WithCustomerKey(otherCustomerKey)

	eachUploadMode(t, func(t *testing.T, bucket storage.Bucket) {
		ctx := t.Context()
		uploadWithKey(t, bucket, "a", "text")

		// The result has the key of its sources.
		_, err := storage.Compose(ctx, bucket, "joined", []string{"a", "a"}, withSourceKey, withKey)
		require.NoError(t, err)
		requireContent(t, bucket, "joined", "texttext", withKey)

		// The result has another key.
		_, err = storage.Compose(ctx, bucket, "joined", []string{"a", "a"}, withSourceKey, withOtherKey)
		require.NoError(t, err)
		requireContent(t, bucket, "joined", "texttext", withOtherKey)
	})
}

// A composition of more than 32 sources makes intermediate objects. They are encrypted with the
// customer's key, too.
func TestWithCustomerKeyCompositionOfManySources(t *testing.T) {
	const count = 70
	withKey := gcs.WithCustomerKey(customerKey)

	eachUploadMode(t, func(t *testing.T, bucket storage.Bucket) {
		uploadWithKey(t, bucket, "a", "text")

		sources := slices.Repeat([]string{"a"}, count)
		_, err := storage.Compose(t.Context(), bucket, "many", sources,
			gcs.WithSourceCustomerKey(customerKey), withKey)
		require.NoError(t, err)
		requireContent(t, bucket, "many", strings.Repeat("text", count), withKey)
	})
}
