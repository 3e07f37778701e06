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
			// Three objects have a version. Then one of them is changed, and another one is removed.
			b := New(open(t), Config{})
			versions := map[string]*thanos.ObjectVersion{}
			for _, name := range []string{"unchanged", "changed", "removed"} {
				require.NoError(t, b.Upload(t.Context(), name, strings.NewReader("old")))
				attrs, err := b.Attributes(t.Context(), name)
				require.NoError(t, err)
				versions[name] = attrs.Version
			}
			require.NoError(t, b.Upload(t.Context(), "changed", strings.NewReader("newer")))
			require.NoError(t, b.Delete(t.Context(), "removed"))

			tests := []struct {
				name        string
				key         string
				option      thanos.ObjectUploadOption
				wantRefused bool
			}{
				{
					name:        "IfNotExists for a new object",
					key:         "absent",
					option:      thanos.WithIfNotExists(),
					wantRefused: false,
				},
				{
					name:        "IfNotExists for an object that exists",
					key:         "changed",
					option:      thanos.WithIfNotExists(),
					wantRefused: true,
				},
				{
					name:        "IfMatch with the current version",
					key:         "unchanged",
					option:      thanos.WithIfMatch(versions["unchanged"]),
					wantRefused: false,
				},
				{
					name:        "IfMatch with the version before the change",
					key:         "changed",
					option:      thanos.WithIfMatch(versions["changed"]),
					wantRefused: true,
				},
				{
					name:        "IfMatch with the version of a removed object",
					key:         "removed",
					option:      thanos.WithIfMatch(versions["removed"]),
					wantRefused: true,
				},
				{
					name:        "IfMatch with an ETag that no store makes",
					key:         "changed",
					option:      thanos.WithIfMatch(&thanos.ObjectVersion{Type: thanos.ETag, Value: "none"}),
					wantRefused: true,
				},
				{
					name:        "IfMatch with a generation",
					key:         "changed",
					option:      thanos.WithIfMatch(&thanos.ObjectVersion{Type: thanos.Generation, Value: "1"}),
					wantRefused: true,
				},
				{
					name:        "IfMatch with an empty version",
					key:         "changed",
					option:      thanos.WithIfMatch(&thanos.ObjectVersion{Type: thanos.ETag}),
					wantRefused: true,
				},
			}
			for _, tt := range tests {
				t.Run(tt.name, func(t *testing.T) {
					err := b.Upload(t.Context(), tt.key, strings.NewReader(tt.name), tt.option)
					require.Equal(t, tt.wantRefused, err != nil, "%v", err)
					require.Equal(t, tt.wantRefused, b.IsConditionNotMetErr(err), "%v", err)
					if !tt.wantRefused {
						require.Equal(t, tt.name, read(t, b, tt.key))
					}
				})
			}

			// No refused upload has stored anything.
			require.Equal(t, "newer", read(t, b, "changed"))
			exists, err := b.Exists(t.Context(), "removed")
			require.NoError(t, err)
			require.False(t, exists)
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
