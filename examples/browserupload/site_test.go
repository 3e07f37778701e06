//go:build omnibucket_sdks

package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

func removeAll(dir string) error { return os.RemoveAll(filepath.FromSlash(dir)) }

// A CORS rule is added once, and others stay.
func TestCORSRuleIsAddedOnce(t *testing.T) {
	// The bucket has a rule for another site.
	account, bucket, err := accountOf(memoryBucket(t))
	require.NoError(t, err)
	service, err := storage.OpenService(t.Context(), account)
	require.NoError(t, err)
	other := storage.CORSRule{Origins: []string{"https://other.example.com"}, Methods: []string{"GET"}}
	_, err = service.CreateBucket(t.Context(), bucket, storage.WithCORS(other))
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, service.DeleteBucket(context.Background(), bucket))
		require.NoError(t, service.Close())
	})

	// The first call adds a rule for the page, and the second one finds it.
	page := []string{"http://127.0.0.1:8080"}
	headers := []string{"content-type", "If-None-Match"}
	for _, want := range []string{"was added", "is there"} {
		note, err := addCORSRule(t.Context(), account, bucket, page, headers)
		require.NoError(t, err)
		require.Contains(t, note, want)

		info, err := service.BucketInfo(t.Context(), bucket)
		require.NoError(t, err)
		require.Len(t, info.CORS, 2)
		require.Equal(t, page, info.CORS[0].Origins)
		require.Equal(t, other.Origins, info.CORS[1].Origins)
	}
}

// A CORS rule lets a page in if it has the origin and the header of the page, and the methods GET and PUT.
func TestCORSRuleLets(t *testing.T) {
	tests := []struct {
		name string
		rule storage.CORSRule
		want bool
	}{
		{
			name: "as it is",
			rule: storage.CORSRule{
				Origins:        []string{"http://a"},
				Methods:        []string{"GET", "PUT"},
				AllowedHeaders: []string{"Content-Type"},
			},
			want: true,
		},
		{
			name: "everybody",
			rule: storage.CORSRule{
				Origins:        []string{"*"},
				Methods:        []string{"GET", "PUT"},
				AllowedHeaders: []string{"Content-Type"},
			},
			want: true,
		},
		{
			name: "any header",
			rule: storage.CORSRule{
				Origins:        []string{"http://a"},
				Methods:        []string{"GET", "PUT"},
				AllowedHeaders: []string{"*"},
			},
			want: true,
		},
		{
			name: "another origin",
			rule: storage.CORSRule{
				Origins:        []string{"http://b"},
				Methods:        []string{"GET", "PUT"},
				AllowedHeaders: []string{"Content-Type"},
			},
			want: false,
		},
		{
			name: "no PUT",
			rule: storage.CORSRule{
				Origins:        []string{"http://a"},
				Methods:        []string{"GET"},
				AllowedHeaders: []string{"Content-Type"},
			},
			want: false,
		},
		{
			name: "no header",
			rule: storage.CORSRule{
				Origins: []string{"http://a"},
				Methods: []string{"GET", "PUT"},
			},
			want: false,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			origins := []string{"http://a"}
			headers := []string{"content-type"} // names of headers have no case
			require.Equal(t, tt.want, permits(tt.rule, origins, headers))
		})
	}
}

// An account is the address without the bucket.
func TestAccountOf(t *testing.T) {
	for address, want := range map[string][2]string{
		"mem://demo": {"mem://?", "demo"},
		"s3://demo?region=eu-west-1&endpoint=http://h:9000": {"s3://?region=eu-west-1&endpoint=http://h:9000", "demo"},
		"azblob://demo?account=name":                        {"azblob://?account=name", "demo"},
		"file:///var/data/my%20files?create=true":           {"file:///var/data?create=true", "my files"},
	} {
		account, bucket, err := accountOf(address)
		require.NoError(t, err)
		require.Equal(t, want, [2]string{account, bucket})
	}
}

// Origins match the address in a browser.
func TestOriginsOf(t *testing.T) {
	for addr, want := range map[string][]string{
		"127.0.0.1:8080":    {"http://127.0.0.1:8080", "http://localhost:8080"},
		"[::1]:8080":        {"http://[::1]:8080", "http://localhost:8080"},
		"0.0.0.0:8080":      {"http://localhost:8080", "http://127.0.0.1:8080"},
		"192.168.1.20:8080": {"http://192.168.1.20:8080"},
	} {
		a, err := net.ResolveTCPAddr("tcp", addr)
		require.NoError(t, err)
		require.Equal(t, want, originsOf(a))
	}
}

// IDs sort newest first and are unique.
func TestNewID(t *testing.T) {
	when := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var ids []string
	for i := range 100 {
		ids = append(ids, newID(when.Add(-time.Duration(i)*time.Hour)))
	}
	require.True(t, slices.IsSorted(ids))
	require.NotEqual(t, newID(when), newID(when))
	require.Len(t, newID(when), 11+1+26, "130 random bits")
}

// A name is only shown.
func TestCleanName(t *testing.T) {
	for name, want := range map[string]string{
		"photo.jpg":                "photo.jpg",
		"C:\\Users\\me\\photo.jpg": "photo.jpg",
		"../../etc/passwd":         "passwd",
		" a\r\nSet-Cookie: b.png ": "aSet-Cookie: b.png",
		"":                         "image",
		"dir/":                     "image",
		"\xff\x00":                 "image",
		strings.Repeat("é", 300):   strings.Repeat("é", 100),
	} {
		require.Equal(t, want, cleanName(name))
	}
}

// The program reports errors.
func TestRunReportsErrors(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() {
		_ = busy.Close()
	}()
	tests := []struct {
		name string
		args []string
		want string
	}{
		{name: "two directories", args: []string{"a", "b"}, want: "give one directory, or one -bucket"},
		{
			name: "a directory and a bucket",
			args: []string{"-bucket", "mem://x", "a"},
			want: "give one directory, or one -bucket",
		},
		{name: "an unknown scheme", args: []string{"-bucket", "ftp://x"}, want: `scheme "ftp"`},
		{name: "an address in use", args: []string{"-addr", busy.Addr().String()}, want: "address already in use"},
		{
			name: "a bucket that is not there",
			args: []string{"-bucket", "file://" + filepath.ToSlash(filepath.Join(t.TempDir(), "none"))},
			want: "bucket not found",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			args := append([]string{"-addr", "127.0.0.1:0"}, tt.args...)
			require.ErrorContains(t, run(t.Context(), args, &bytes.Buffer{}), tt.want)
		})
	}
}

// A temporary directory is removed at the end.
func TestStartSiteRemovesItsDirectory(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	t.Run("while it runs", func(t *testing.T) {
		startSite(t)
		dirs, err := filepath.Glob(filepath.Join(os.TempDir(), "omnibucket-browserupload-*"))
		require.NoError(t, err)
		require.Len(t, dirs, 1)
	})
	dirs, err := filepath.Glob(filepath.Join(os.TempDir(), "omnibucket-browserupload-*"))
	require.NoError(t, err)
	require.Empty(t, dirs)
}
