package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/locations"
)

// A command, a gateway and a Go program that read one file have the same bytes, attributes and errors.
func TestConfigOfCommandsGatewaysAndPrograms(t *testing.T) {
	identity, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	tests := []struct{ name, layers string }{
		{"no layer", "[]"},
		{"limit", "[{limit: {bytes: 1G, reads: 10000}}]"},
		{"diskcache", "[{diskcache: {dir: CACHE, trust: 1m}}]"},
		{"mirror", "[{mirror: second}]"},
		{"overlay", "[{overlay: {old: second}}]"},
		{"encrypt", "[{encrypt: {identity_variable: BOX_KEYS}}]"},
		{
			"all",
			"[{limit: {reads: 10000}}, {mirror: second}, {overlay: {old: third}}, {diskcache: {dir: " +
				"CACHE}}, {encrypt: {identity_variable: BOX_KEYS}}]",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			const profile = "&profile=omnibucket"
			store := newShell(t).serveS3Parameters("--create", "box", "--create", "second", "--create", "third") + profile
			s, path := newConfiguredShell(t, "locations:\n  box:\n    address: s3://box"+store+"\n    layers: "+
				strings.ReplaceAll(tt.layers, "CACHE", filepath.ToSlash(t.TempDir()))+
				"\n  second: s3://second"+store+"\n  third: s3://third"+store+"\n")
			s.env["BOX_KEYS"] = identity.String()
			c, err := locations.ReadFile(path)
			require.NoError(t, err)
			c.Lookup = func(name string) (string, bool) {
				value, set := s.env[name]
				return value, set
			}
			program, err := c.Open(t.Context(), "box")
			require.NoError(t, err)
			t.Cleanup(func() {
				require.NoError(t, storage.Close(program))
			})
			attrs, err := program.Upload(t.Context(), "photos/a.txt", strings.NewReader("text"),
				storage.WithMetadata(map[string]string{"of": "the program"}), storage.WithContentType("text/csv"))
			require.NoError(t, err)

			require.Equal(t, "text", s.run("cat", "box:photos/a.txt"))
			var object struct {
				Size                        int64
				ContentType, ETag, Revision string
				Metadata                    map[string]string
			}
			require.NoError(t, json.Unmarshal([]byte(s.run("stat", "--json", "box:photos/a.txt")), &object))
			require.Equal(t, attrs.Size, object.Size)
			require.Equal(t, attrs.ContentType, object.ContentType)
			require.Equal(t, attrs.Revision, object.Revision)
			require.Equal(t, attrs.ETag, object.ETag)
			require.Equal(t, attrs.Metadata, object.Metadata)

			parameters := s.serveS3Parameters("box:") + profile
			require.Equal(t, "text", s.run("cat", "s3://box/photos/a.txt"+parameters))
			s.put("s3://box/b"+parameters, "by a client of S3")
			text, _, err := storage.ReadAll(t.Context(), program, "b")
			require.NoError(t, err)
			require.Equal(t, "by a client of S3", string(text))
			require.Equal(t, "b\nphotos/\n", s.run("ls", "box:"))

			_, err = program.Attrs(t.Context(), "none")
			require.ErrorIs(t, err, storage.ObjectNotFound)
			s.requireExit(exitNotFound, "stat", "box:none")
			s.requireExit(exitNotFound, "stat", "s3://box/none"+parameters)
			_, err = program.Upload(t.Context(), "b", strings.NewReader("x"), storage.IfAbsent())
			require.ErrorIs(t, err, storage.PreconditionFailed)

			s.stdin = "x"
			s.requireExit(exitPrecondition, "cp", "--if-absent", "-", "box:b")
			s.stdin = "x"
			s.requireExit(exitPrecondition, "cp", "--if-absent", "-", "s3://box/b"+parameters)
		})
	}
}
