package storage_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// A bucket of another type sees the values of WithNative. Otherwise, it might store an object without its
// encryption key.
func TestWithNativeIsVisibleToOtherTypes(t *testing.T) {
	one := storage.WithNative("shelf", "one")
	two := storage.WithNative("shelf", "two")

	var (
		upload, multipart          storage.UploadOptions
		download, attrs            storage.DownloadOptions
		remove                     storage.RemoveOptions
		copied, moved, composed    storage.CopyOptions
		signed, link               storage.SignOptions
		change, retention, restore storage.ChangeOptions
	)
	tests := []struct {
		name   string
		err    error
		native *[]storage.NativeValue
	}{
		{"Upload", upload.Apply(one, two), &upload.Native},
		{"BeginUpload", multipart.ApplyMultipart(one, two), &multipart.Native},
		{"Download", download.Apply(one, two), &download.Native},
		{"Attrs", attrs.ApplyAttrs(one, two), &attrs.Native},
		{"Remove", remove.Apply(one, two), &remove.Native},
		{"Copy", copied.Apply(one, two), &copied.Native},
		{"Move", moved.ApplyMove("a", "b", one, two), &moved.Native},
		{"Compose", composed.ApplyCompose([]string{"a"}, one, two), &composed.Native},
		{"SignedUploadURL", signed.ApplyUpload(one, two), &signed.Native},
		{"SignedDownloadURL", link.ApplyDownload(one, two), &link.Native},
		{"SetTags", change.Apply(one, two), &change.Native},
		{"SetRetention", retention.ApplyRetention(one, two), &retention.Native},
		{"Restore", restore.ApplyRestore(one, two), &restore.Native},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.NoError(t, tt.err)
			require.Equal(t, []storage.NativeValue{{Provider: "shelf", Value: "one"}, {Provider: "shelf", Value: "two"}}, *tt.native)
		})
	}

	t.Run("the source of a copy has its own", func(t *testing.T) {
		var opts storage.CopyOptions
		require.NoError(t, opts.Apply(one, storage.WithSourceNative("shelf", "of the source")))
		require.Equal(t, []storage.NativeValue{{Provider: "shelf", Value: "one"}}, opts.Native)
		require.Equal(t, []storage.NativeValue{{Provider: "shelf", Value: "of the source"}},
			opts.SourceNative)
	})
}
