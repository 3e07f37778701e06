package caddy

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/stretchr/testify/require"
)

// The storage and the file system read the same parameters from a Caddyfile.
func TestUnmarshalCaddyfile(t *testing.T) {
	tests := []struct {
		name    string
		text    string
		want    Location
		wantErr string
	}{
		{name: "address", text: "omnibucket s3://tls", want: Location{Address: "s3://tls"}},
		{
			name: "timeout",
			text: "omnibucket {env.X} {\n timeout 1m\n}",
			want: Location{Address: "{env.X}", Timeout: caddy.Duration(time.Minute)},
		},
		{name: "no address", text: "omnibucket", wantErr: "wrong argument count"},
		{name: "two addresses", text: "omnibucket a b", wantErr: "wrong argument count"},
		{
			name:    "unknown parameter",
			text:    "omnibucket a {\n region x\n}",
			wantErr: "unrecognized parameter 'region'",
		},
		{name: "timeout without a unit", text: "omnibucket a {\n timeout 10\n}", wantErr: "timeout must be"},
		{name: "timeout of 0", text: "omnibucket a {\n timeout 0s\n}", wantErr: "timeout must be"},
		{name: "two timeouts", text: "omnibucket a {\n timeout 1s 2s\n}", wantErr: "wrong argument count"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var s Storage
			var f FileSystem
			storageErr := s.UnmarshalCaddyfile(caddyfile.NewTestDispenser(tt.text))
			fsErr := f.UnmarshalCaddyfile(caddyfile.NewTestDispenser(tt.text))

			if tt.wantErr != "" {
				require.ErrorContains(t, storageErr, tt.wantErr)
				require.ErrorContains(t, fsErr, tt.wantErr)
				return
			}
			require.NoError(t, storageErr)
			require.NoError(t, fsErr)
			require.Equal(t, tt.want, s.Location)
			require.Equal(t, tt.want, f.Location)
		})
	}
}

// A wrong address fails at Provision, and no error quotes what may be a secret.
func TestProvisionWrongAddress(t *testing.T) {
	const secret = "AKIAsecret"
	// The locations refer to these variables by placeholders, such as {env.ADDRESS}.
	t.Setenv("ADDRESS", "s3://"+secret+":"+secret+"@bucket?secret_access_key="+secret)
	t.Setenv("EMPTY", "")
	tests := []struct {
		name     string
		location Location
	}{
		{name: "none", location: Location{}},
		{name: "unknown scheme", location: Location{Address: "ftp://" + secret}},
		{name: "unknown parameter", location: Location{Address: "s3://bucket?region=x&key=" + secret}},
		{name: "credentials", location: Location{Address: "{env.ADDRESS}"}},
		{name: "empty placeholder", location: Location{Address: "{env.EMPTY}"}},
		{name: "unknown placeholder", location: Location{Address: "s3://{bucket}"}},
		{name: "negative timeout", location: Location{Address: "s3://bucket?region=x", Timeout: -1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
			defer cancel()
			modules := []interface {
				caddy.Provisioner
				caddy.CleanerUpper
			}{
				&Storage{Location: tt.location},
				&FileSystem{Location: tt.location},
			}

			for _, module := range modules {
				err := module.Provision(ctx)
				require.Error(t, err)
				require.NotContains(t, err.Error(), secret)
				require.NoError(t, module.Cleanup())
			}
		})
	}
}

// The address may be the name of a location in omnibucket's configuration.
func TestProvisionNameOfLocation(t *testing.T) {
	t.Setenv("OMNIBUCKET_CADDYTEST", "file://"+filepath.ToSlash(t.TempDir())+"/b?create=true")
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	defer cancel()
	s := &Storage{Location: Location{Address: "caddytest"}}
	require.NoError(t, s.Provision(ctx))
	require.NoError(t, s.Cleanup())
}

// The address of a local bucket may have a folder after the bucket's directory. The objects are
// then stored in that folder.
func TestProvisionFolder(t *testing.T) {
	// This variable must have no effect, although the configuration uses the name "address".
	t.Setenv("OMNIBUCKET_ADDRESS", "s3://other?region=eu-west-1")
	dir := filepath.Join(t.TempDir(), "bucket")
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	defer cancel()
	s := &Storage{Location: Location{Address: "file://" + filepath.ToSlash(dir) + "?create=true#tls"}}
	require.NoError(t, s.Provision(ctx))

	stored, err := s.CertMagicStorage()
	require.NoError(t, err)
	require.NoError(t, stored.Store(t.Context(), "a", []byte("content")))
	require.FileExists(t, filepath.Join(dir, "tls", "a"))
	require.NoError(t, s.Cleanup())
}

// The address of a bucket may end in the folder of that bucket in which objects are stored.
func TestProvisionFolderOfABucket(t *testing.T) {
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	defer cancel()

	f := &FileSystem{Location: Location{Address: "s3://web/tls?region=eu-west-1"}}
	require.NoError(t, f.Provision(ctx))
	require.NoError(t, f.Cleanup())
}

// A lock keeps the bucket open after Cleanup, because CertMagic releases its locks later.
func TestStorageUnlockAfterCleanup(t *testing.T) {
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	defer cancel()
	s := &Storage{Location: Location{Address: "file://" + filepath.ToSlash(t.TempDir()) + "/bucket?create=true"}}
	require.NoError(t, s.Provision(ctx))
	stored, err := s.CertMagicStorage()
	require.NoError(t, err)
	require.NoError(t, stored.Lock(t.Context(), "a"))
	require.NoError(t, s.Cleanup())

	require.NoError(t, stored.Unlock(context.WithoutCancel(ctx), "a"))

	// Now the bucket is closed.
	require.Error(t, stored.Store(t.Context(), "a", nil))
	require.Error(t, stored.Lock(t.Context(), "a"))
	require.Error(t, stored.Unlock(t.Context(), "a"))
}

// modTime differs for two revisions of one second, so that file_server gives them different ETags.
func TestModTime(t *testing.T) {
	second := time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC)
	modified := modTime(second.Add(time.Millisecond), "one")
	require.Equal(t, second, modified.Truncate(time.Second))
	require.Equal(t, modified, modTime(second, "one"))
	require.NotEqual(t, modified, modTime(second, "two"))
}

// If the time of modification is not known, modTime is the Unix epoch, for which file_server sends no ETag.
func TestModTimeUnknown(t *testing.T) {
	require.Zero(t, modTime(time.Time{}, "one").UnixNano())
}
