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

// If a command, a gateway and a Go program read one configuration file, they see the same bytes,
// attributes and errors.
func TestConfigOfCommandsGatewaysAndPrograms(t *testing.T) {
	tests := []struct {
		name   string
		layers string // of the location box; CACHE stands for a directory
	}{
		{name: "no layer", layers: "[]"},
		{name: "limit", layers: "[{limit: {bytes: 1G, reads: 10000}}]"},
		{name: "diskcache", layers: "[{diskcache: {dir: CACHE, trust: 1m}}]"},
		{name: "mirror", layers: "[{mirror: second}]"},
		{name: "overlay", layers: "[{overlay: {old: second}}]"},
		{name: "encrypt", layers: "[{encrypt: {identity_variable: BOX_KEYS}}]"},
		{
			name: "all",
			layers: "[{limit: {reads: 10000}}, {mirror: second}, {overlay: {old: third}}, " +
				"{diskcache: {dir: CACHE}}, {encrypt: {identity_variable: BOX_KEYS}}]",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			layers := strings.ReplaceAll(tt.layers, "CACHE", filepath.ToSlash(t.TempDir()))
			s, program, parameters := newConfiguredClients(t, layers)

			// The program stores an object. The command reads its content and its attributes.
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

			// The gateway reads that object. Then it stores another object, which the program and
			// the command see.
			require.Equal(t, "text", s.run("cat", "s3://box/photos/a.txt"+parameters))
			s.put("s3://box/b"+parameters, "by a client of S3")
			text, _, err := storage.ReadAll(t.Context(), program, "b")
			require.NoError(t, err)
			require.Equal(t, "by a client of S3", string(text))
			require.Equal(t, "b\nphotos/\n", s.run("ls", "box:"))

			// The command, the gateway and the program agree that the object "none" is missing.
			_, err = program.Attrs(t.Context(), "none")
			require.ErrorIs(t, err, storage.ObjectNotFound)
			s.requireExit(exitNotFound, "stat", "box:none")
			s.requireExit(exitNotFound, "stat", "s3://box/none"+parameters)

			// The command, the gateway and the program agree that the object "b" exists.
			_, err = program.Upload(t.Context(), "b", strings.NewReader("replacement"), storage.IfAbsent())
			require.ErrorIs(t, err, storage.PreconditionFailed)
			s.stdin = "replacement"
			s.requireExit(exitPrecondition, "cp", "--if-absent", "-", "box:b")
			s.requireExit(exitPrecondition, "cp", "--if-absent", "-", "s3://box/b"+parameters)
		})
	}
}

// newConfiguredClients writes a configuration with the location "box", which has these layers, and
// the locations "second" and "third". The buckets are on one server. It returns three clients of
// "box": a shell, a Go program's bucket, and the parameters with which s3://box leads to a gateway
// of "box".
func newConfiguredClients(t *testing.T, layers string) (s *shell, program storage.Bucket, parameters string) {
	t.Helper()
	const profile = "&profile=omnibucket"
	store := newShell(t).serveS3Parameters("--create", "box", "--create", "second", "--create", "third") + profile
	s, path := newConfiguredShell(t, `locations:
  box:
    address: s3://box`+store+`
    layers: `+layers+`
  second: s3://second`+store+`
  third: s3://third`+store+`
`)
	identity, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	s.env["BOX_KEYS"] = identity.String()

	c, err := locations.ReadFile(path)
	require.NoError(t, err)
	c.Lookup = func(name string) (string, bool) {
		value, set := s.env[name]
		return value, set
	}
	program, err = c.Open(t.Context(), "box")
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, storage.Close(program))
	})
	return s, program, s.serveS3Parameters("box:") + profile
}
