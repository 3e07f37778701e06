//go:build objstore_conditions

package objstore

import (
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	thanos "github.com/thanos-io/objstore"

	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/s3"
)

// Each store supports all conditions of Thanos but one.
func TestSupportedConditions(t *testing.T) {
	want := []thanos.ObjectUploadOptionType{thanos.ContentType, thanos.IfNotExists, thanos.IfMatch}
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, want, New(open(t), Config{}).SupportedObjectUploadOptions())
		})
	}
}

// If the S3 server is not known, no condition is supported and Upload refuses them.
func TestSupportedConditionsOfAnUnknownServer(t *testing.T) {
	bucket, err := s3.Open(t.Context(), s3.Config{
		Bucket:      "blocks",
		Region:      "us-east-1",
		Endpoint:    "http://127.0.0.1:1",
		AccessKeyID: "key",
		SecretKey:   "secret",
	})
	require.NoError(t, err)
	b := New(bucket, Config{})
	require.Equal(t, []thanos.ObjectUploadOptionType{thanos.ContentType}, b.SupportedObjectUploadOptions())
	err = b.Upload(t.Context(), "a", strings.NewReader("text"), thanos.WithIfNotExists())
	require.ErrorIs(t, err, thanos.ErrUploadOptionNotSupported)
}

// An upload succeeds only if its condition holds. IsConditionNotMetErr recognizes the failure.
func TestUploadConditions(t *testing.T) {
	for store, open := range stores {
		t.Run(store, func(t *testing.T) {
			b := New(open(t), Config{})
			for _, name := range []string{"there", "changed", "removed"} {
				require.NoError(t, b.Upload(t.Context(), name, strings.NewReader("old")))
			}

			versions := map[string]*thanos.ObjectVersion{}
			for _, name := range []string{"there", "changed", "removed"} {
				a, err := b.Attributes(t.Context(), name)
				require.NoError(t, err)
				versions[name] = a.Version
			}
			require.NoError(t, b.Upload(t.Context(), "changed", strings.NewReader("newer")))
			require.NoError(t, b.Delete(t.Context(), "removed"))

			for name, row := range map[string]struct {
				key     string
				option  thanos.ObjectUploadOption
				refused bool
			}{
				"absent, and must be": {
					key:     "absent",
					option:  thanos.WithIfNotExists(),
					refused: false,
				},
				"there, and must be absent": {
					key:     "changed",
					option:  thanos.WithIfNotExists(),
					refused: true,
				},
				"the version that is there": {
					key:     "there",
					option:  thanos.WithIfMatch(versions["there"]),
					refused: false,
				},
				"a version before the last change": {
					key:     "changed",
					option:  thanos.WithIfMatch(versions["changed"]),
					refused: true,
				},
				"a version of a removed object": {
					key:     "removed",
					option:  thanos.WithIfMatch(versions["removed"]),
					refused: true,
				},
				"an ETag that no store makes": {
					key:     "changed",
					option:  thanos.WithIfMatch(&thanos.ObjectVersion{Type: thanos.ETag, Value: "none"}),
					refused: true,
				},
				"a generation": {
					key:     "changed",
					option:  thanos.WithIfMatch(&thanos.ObjectVersion{Type: thanos.Generation, Value: "1"}),
					refused: true,
				},
				"an empty version": {
					key:     "changed",
					option:  thanos.WithIfMatch(&thanos.ObjectVersion{Type: thanos.ETag}),
					refused: true,
				},
			} {
				t.Run(name, func(t *testing.T) {
					err := b.Upload(t.Context(), row.key, strings.NewReader(name), row.option)
					require.Equal(t, row.refused, err != nil, "%v", err)
					require.Equal(t, row.refused, b.IsConditionNotMetErr(err), "%v", err)
					if !row.refused {
						require.Equal(t, name, read(t, b, row.key))
					}
				})
			}
			require.Equal(t, "newer", read(t, b, "changed"), "no refused upload wrote")

			there, err := b.Exists(t.Context(), "removed")
			require.NoError(t, err)
			require.False(t, there, "no refused upload made it again")
		})
	}
}

// If several uploads with IfNotExists run at the same time, exactly one succeeds.
func TestUploadIfNotExistsHasOneWinner(t *testing.T) {
	for store, open := range stores {
		t.Run(store, func(t *testing.T) {
			b := New(open(t), Config{})
			errs := make([]error, 8)
			var group sync.WaitGroup
			for i := range errs {
				group.Go(func() {
					// The length of the content tells who has stored it.
					content := strings.Repeat("x", i)
					errs[i] = b.Upload(t.Context(), "lock", strings.NewReader(content), thanos.WithIfNotExists())
				})
			}
			group.Wait()

			var succeeded []int
			for i, err := range errs {
				if err == nil {
					succeeded = append(succeeded, i)
					continue
				}
				require.True(t, b.IsConditionNotMetErr(err), "%v", err)
			}
			require.Len(t, succeeded, 1)
			require.Len(t, read(t, b, "lock"), succeeded[0])
		})
	}
}

// Upload refuses options that contradict each other or that no store supports.
func TestUploadInvalidOptions(t *testing.T) {
	b := New(memstore.New(), Config{})
	version := &thanos.ObjectVersion{Type: thanos.ETag, Value: "1"}
	tests := []struct {
		name    string
		options []thanos.ObjectUploadOption
		want    error
	}{
		{
			name:    "no version",
			options: []thanos.ObjectUploadOption{thanos.WithIfMatch(nil)},
			want:    thanos.ErrUploadOptionInvalid,
		},
		{
			name:    "two conditions",
			options: []thanos.ObjectUploadOption{thanos.WithIfNotExists(), thanos.WithIfMatch(version)},
			want:    thanos.ErrUploadOptionInvalid,
		},
		{
			name:    "another version",
			options: []thanos.ObjectUploadOption{thanos.WithIfNotMatch(version)},
			want:    thanos.ErrUploadOptionNotSupported,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := b.Upload(t.Context(), "a", strings.NewReader("text"), tt.options...)
			require.ErrorIs(t, err, tt.want)
			require.False(t, b.IsConditionNotMetErr(err))
		})
	}
}

// An upload may have a condition and a content type at the same time.
func TestUploadConditionAndContentType(t *testing.T) {
	b := New(memstore.New(), Config{})
	err := b.Upload(t.Context(), "a", strings.NewReader("text"), thanos.WithIfNotExists(),
		thanos.WithContentType("text/x-test"))
	require.NoError(t, err)
}

// read returns the content of an object.
func read(t *testing.T, b thanos.Bucket, name string) string {
	t.Helper()
	r, err := b.Get(t.Context(), name)
	require.NoError(t, err)
	text, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	return string(text)
}
