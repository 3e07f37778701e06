package storage_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// A bucket of the user's own type finds the values of WithNative in the options of each method. If it could not see
// them, it might store an object without its encryption key.
func TestWithNativeIsVisibleToOtherTypes(t *testing.T) {
	one := storage.WithNative("shelf", "one")
	two := storage.WithNative("shelf", "two")
	want := []storage.NativeValue{{Provider: "shelf", Value: "one"}, {Provider: "shelf", Value: "two"}}

	// Such a bucket applies the options of a call to one of these structs, and then reads its field Native.
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
		err    error // of applying the options
		native *[]storage.NativeValue
	}{
		{name: "Upload", err: upload.Apply(one, two), native: &upload.Native},
		{name: "BeginUpload", err: multipart.ApplyMultipart(one, two), native: &multipart.Native},
		{name: "Download", err: download.Apply(one, two), native: &download.Native},
		{name: "Attrs", err: attrs.ApplyAttrs(one, two), native: &attrs.Native},
		{name: "Remove", err: remove.Apply(one, two), native: &remove.Native},
		{name: "Copy", err: copied.Apply(one, two), native: &copied.Native},
		{name: "Move", err: moved.ApplyMove("a", "b", one, two), native: &moved.Native},
		{name: "Compose", err: composed.ApplyCompose([]string{"a"}, one, two), native: &composed.Native},
		{name: "SignedUploadURL", err: signed.ApplyUpload(one, two), native: &signed.Native},
		{name: "SignedDownloadURL", err: link.ApplyDownload(one, two), native: &link.Native},
		{name: "SetTags", err: change.Apply(one, two), native: &change.Native},
		{name: "SetRetention", err: retention.ApplyRetention(one, two), native: &retention.Native},
		{name: "Restore", err: restore.ApplyRestore(one, two), native: &restore.Native},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.NoError(t, tt.err)
			require.Equal(t, want, *tt.native)
		})
	}
}

// A copy keeps the values of WithSourceNative apart from those of WithNative.
func TestWithSourceNativeIsForTheSource(t *testing.T) {
	var opts storage.CopyOptions
	err := opts.Apply(
		storage.WithNative("shelf", "destination"),
		storage.WithSourceNative("shelf", "source"),
	)
	require.NoError(t, err)
	require.Equal(t, []storage.NativeValue{{Provider: "shelf", Value: "destination"}}, opts.Native)
	require.Equal(t, []storage.NativeValue{{Provider: "shelf", Value: "source"}}, opts.SourceNative)
}
