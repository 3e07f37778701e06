package main

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

// newLayeredShell configures the location box with layers, and plain without them, for the same bucket.
func newLayeredShell(t *testing.T, layers string) *shell {
	t.Helper()
	address := newDirectoryAddress(t)
	s, _ := newConfiguredShell(t, "locations:\n  plain: "+address+"\n  box:\n    address: "+address+"\n    layers:\n"+layers)
	return s
}

func TestLocationReadOnly(t *testing.T) {
	s := newLayeredShell(t, "    - readonly: {}\n")
	s.put("plain:a", "text")
	require.Equal(t, "text", s.ok("cat", "box:a"))
	require.Equal(t, "a\n", s.ok("ls", "box:"))
	s.ok("cp", "box:a", "plain:copy")
	for _, args := range [][]string{
		{"cp", "box:a", "box:b"}, {"rm", "box:a"}, {"rb", "box:"}, {"rb", "--force", "box:"}, {"mb", "box:"},
	} {
		_, stderr := s.exits(1, args...)
		require.Contains(t, stderr, "permission denied", args)
	}
	require.Equal(t, "a\ncopy\n", s.ok("ls", "plain:"), "nothing was changed")
}

func TestLocationLimited(t *testing.T) {
	s := newLayeredShell(t, "    - limit: {bytes: 1G, reads: 4}\n")
	s.put("plain:a", "text")
	start := time.Now()
	s.in = "cat box:a\ncat box:a\ncat box:a\n"
	require.Equal(t, "texttexttext", s.ok("-q", "run", "-"))
	require.GreaterOrEqual(t, time.Since(start), 500*time.Millisecond, "the lines share the limit")
}

func TestLocationCached(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	s := newLayeredShell(t, "    - diskcache: {dir: "+dir+", max: 10M, trust: 1m}\n")
	s.put("box:a", "text")
	require.Equal(t, "text", s.ok("cat", "box:a"))
	require.DirExists(t, dir)
}

func TestLocationWithNamedCredentials(t *testing.T) {
	s, path := newConfiguredShell(t, "locations:\n  photos:\n    address: s3://photos?region=eu-west-1\n    credentials: old\n    layers: [{readonly: {}}]\n")
	require.Equal(t, "photos  s3://photos?region=eu-west-1&credentials=old  readonly\n", s.ok("config", "list"))
	require.Contains(t, s.ok("config", "list", "--json"), `"layers":["readonly"]`)
	_, stderr := s.exits(1, "ls", "photos:")
	require.Contains(t, stderr, "OLD_AWS_ACCESS_KEY_ID")
	s.ok("config", "add", "--replace", "photos", "mem://photos")
	require.Equal(t, "locations:\n  photos:\n    address: mem://photos\n    credentials: old\n    layers: [{readonly: {}}]\n", readFile(t, path), "the rest stays")
}

func TestGatewayReadOnly(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "the-key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "the-secret")
	dir := filepath.ToSlash(t.TempDir())
	s, _ := newConfiguredShell(t, "locations:\n  reports:\n    address: file://"+dir+"\n    layers: [{readonly: {}}]\n")
	s.ok("mb", "file://"+dir+"/year")
	s.put("file://"+dir+"/year#a", "text")

	parameters := "?path_style=true&region=us-east-1&endpoint=" + s.serveS3("reports:")
	require.Equal(t, "text", s.ok("cat", "s3://year/a"+parameters))
	for _, args := range [][]string{{"rm", "s3://year/a" + parameters}, {"rb", "--force", "s3://year/" + parameters}, {"mb", "s3://other/" + parameters}} {
		_, stderr := s.exits(1, args...)
		require.Contains(t, stderr, "permission denied", args)
	}
	require.Equal(t, "text", s.ok("cat", "file://"+dir+"/year#a"))
}

// newEncryptingShell configures the location box with encryption, and plain without it. The identity is in a file.
func newEncryptingShell(t *testing.T) (s *shell, identity *age.X25519Identity) {
	t.Helper()
	identity, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "identity.txt")
	require.NoError(t, os.WriteFile(file, []byte("# of a test\n"+identity.String()+"\n"), 0o600))
	return newLayeredShell(t, "    - encrypt: {identity_file: "+file+"}\n"), identity
}

func TestLocationEncrypted(t *testing.T) {
	s, _ := newEncryptingShell(t)
	dir := t.TempDir()

	s.put("box:a", "secret")
	require.Equal(t, "secret", s.ok("cat", "box:a"))
	require.Equal(t, "cre", s.ok("cat", "--range", "2:3", "box:a"))
	require.NotContains(t, s.ok("cat", "plain:a"), "secret")
	require.Regexp(t, `^ +6  \S+Z  a\n$`, s.ok("ls", "-l", "box:"), "the size of the plain bytes")
	require.EqualValues(t, 6, statOf(s, "box:a").Size)

	s.ok("cp", "box:a", "box:copy")
	require.Equal(t, "secret", s.ok("cat", "box:copy"))
	s.ok("cp", "box:a", "plain:opened")
	require.Equal(t, "secret", s.ok("cat", "plain:opened"))

	writeFiles(t, dir, map[string]string{"1": "one", "2/3": "three"})
	s.ok("-q", "sync", dir, "box:tree/")
	require.Equal(t, "three", s.ok("cat", "box:tree/2/3"))
	require.Empty(t, s.ok("-q", "diff", dir, "box:tree/"))

	s.ok("mv", "box:tree/1", "box:moved")
	require.Equal(t, "one", s.ok("cat", "box:moved"))
	_, stderr := s.exits(1, "cat", "box:opened")
	require.Contains(t, stderr, "checksum mismatch", "a plain object")

	_, stderr = s.exits(1, "sign", "box:a")
	require.Contains(t, stderr, "encrypted by this program")
}

// A location's identity file is read only if a command uses that location.
func TestLocationIdentities(t *testing.T) {
	identity, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	hybrid, err := age.GenerateHybridIdentity()
	require.NoError(t, err)
	address := newDirectoryAddress(t)
	layers := func(keys string) string {
		return "    address: " + address + "\n    layers:\n    - encrypt: {" + keys + "}\n"
	}
	s, _ := newConfiguredShell(t, "locations:\n  plain: "+address+
		"\n  box:\n"+layers("identity_variable: BOX_KEYS")+
		"  write:\n"+layers("recipients: ["+identity.Recipient().String()+"]")+
		"  quantum:\n"+layers("identity_variable: BOX_KEYS, recipients: ["+hybrid.Recipient().String()+"]")+
		"  old:\n"+layers("identity_variable: BOX_KEYS, allow_plain: true")+
		"  none:\n"+layers("identity_file: "+filepath.Join(t.TempDir(), "none")))
	s.put("plain:plain", "plain")

	_, stderr := s.exits(2, "cat", "box:a")
	require.Contains(t, stderr, "the variable BOX_KEYS must be set")
	_, stderr = s.exits(2, "cat", "none:a")
	require.Contains(t, stderr, "identity_file must be readable")

	s.env["BOX_KEYS"] = "hunter2"
	_, stderr = s.exits(2, "cat", "box:a")
	require.Contains(t, stderr, "identities must be a file of age-keygen")
	require.NotContains(t, stderr, "hunter2")

	s.env["BOX_KEYS"] = hybrid.String() + "\n" + identity.String()
	for _, name := range []string{"box", "write", "quantum", "old"} {
		s.put(name+":"+name, "secret")
		require.Equal(t, "secret", s.ok("cat", "box:"+name), name)
	}
	_, stderr = s.exits(1, "cat", "write:write")
	require.Contains(t, stderr, "permission denied", "without an identity")
	require.Equal(t, "plain", s.ok("cat", "old:plain"))
}

// A raw object is a file of age.
func TestRawObjectIsAnAgeFile(t *testing.T) {
	s, identity := newEncryptingShell(t)
	content := strings.Repeat("a long text ", 20_000)
	s.put("box:a", content)

	s.put("plain:b", "plain")
	require.Equal(t, "plain", s.ok("cat", "--raw", "plain:b"))
	for _, location := range []string{"box:a", "plain:a"} {
		file := s.ok("cat", "--raw", location)
		r, err := age.Decrypt(strings.NewReader(file), identity)
		require.NoError(t, err, location)

		got, err := io.ReadAll(r)
		require.NoError(t, err, location)
		require.True(t, content == string(got), location)
		require.Equal(t, file[100:150], s.ok("cat", "--raw", "--range", "100:50", location))
		require.Equal(t, file[len(file)-7:], s.ok("cat", "--raw", "--range", "-7", location))
	}

	raw := s.ok("cat", "--raw", "box:a")
	s.in = "cat box:a\ncat --raw box:a\n"
	require.Contains(t, []string{content + raw, raw + content}, s.ok("-q", "run", "-"), "lines have layers of their own")
}

// The program age decrypts a raw object.
func TestRawObjectDecryptedByAge(t *testing.T) {
	program := filepath.Join(t.TempDir(), "age")
	built, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "filippo.io/age/cmd/age").CombinedOutput()
	require.NoError(t, err, "%s", built)
	s, identity := newEncryptingShell(t)
	s.put("box:a", "secret")
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"identity": identity.String(), "file": s.ok("cat", "--raw", "box:a")})

	data, err := exec.CommandContext(t.Context(), program, "--decrypt", "-i", filepath.Join(dir, "identity"), filepath.Join(dir, "file")).Output()
	require.NoError(t, err)
	require.Equal(t, "secret", string(data))
}

func TestServeWithAllLayers(t *testing.T) {
	s, _ := newEncryptingShell(t)
	s.put("box:a", "secret")
	cache := filepath.Join(t.TempDir(), "cache")
	url := s.serve("--cache", cache, "--read-only", "box:")
	for range 2 {
		status, body := get(t, url+"a")
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, "secret", body)
	}
	require.DirExists(t, cache)
}

// The cache also keeps objects that were read without a revision, as browsers, S3 clients and most commands read.
func TestCacheKeepsWhatWasRead(t *testing.T) {
	gateway := func(_ *testing.T, s *shell, cache string) func() string {
		s.env["AWS_ACCESS_KEY_ID"], s.env["AWS_SECRET_ACCESS_KEY"] = s3server.DefaultAccessKeyID, s3server.DefaultSecretKey
		parameters := "?path_style=true&region=us-east-1&endpoint=" + s.serve("--s3", "--cache", cache, "box:")
		return func() string { return s.ok("cat", "s3://photos/a"+parameters) }
	}
	tests := []struct {
		name  string
		layer bool // of the location
		begin func(t *testing.T, s *shell, cache string) (read func() string)
	}{
		{"of files", false, func(t *testing.T, s *shell, cache string) func() string {
			url := s.serve("--cache", cache, "box:")
			return func() string {
				_, body := get(t, url+"a")
				return body
			}
		}},
		{"of a gateway", false, gateway},
		{"of a gateway, with versions", false, func(t *testing.T, s *shell, cache string) func() string {
			s.ok("bucket", "--versioning", "on", "box:")
			s.put("box:a", "first content")
			return gateway(t, s, cache)
		}},
		{"of a location", true, func(_ *testing.T, s *shell, _ string) func() string {
			return func() string { return s.ok("cat", "box:a") }
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cache := filepath.Join(t.TempDir(), "cache")
			layers := "[]"
			if tt.layer {
				layers = "[{diskcache: {dir: " + cache + "}}]"
			}
			s, _ := newConfiguredShell(t, "locations:\n  box:\n    address: s3://photos\n    layers: "+layers+"\n")
			var bytesSent atomic.Int64 // bytes of objects
			startS3Box(t, s, s3server.Config{Log: func(e s3server.Entry) {
				if e.Operation == "GetObject" && e.Status < http.StatusMultipleChoices {
					bytesSent.Add(e.Sent)
				}
			}})
			s.put("box:a", "first content")
			readText := tt.begin(t, s, cache)

			for range 2 {
				require.Equal(t, "first content", readText())
			}
			require.EqualValues(t, len("first content"), bytesSent.Load(), "the second time, it comes from the cache")

			s.put("box:a", "second content")
			require.Equal(t, "second content", readText())
		})
	}
}

func TestGatewayWithAllLayers(t *testing.T) {
	identity, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	dir := filepath.ToSlash(t.TempDir())
	cache := filepath.Join(t.TempDir(), "cache")
	s, _ := newConfiguredShell(t, "locations:\n  box:\n    address: file://"+dir+"\n    layers: [{encrypt: {identity_variable: BOX_KEYS}}]\n")
	s.env["BOX_KEYS"] = identity.String()
	parameters := s.serveS3Parameters("--create", "year", "--cache", cache, "--bwlimit", "100M", "box:")

	s.put("s3://year/a"+parameters, "secret")
	require.Equal(t, "secret", s.ok("cat", "s3://year/a"+parameters))
	require.NotContains(t, s.ok("cat", "file://"+dir+"/year#a"), "secret")
	require.DirExists(t, cache)

	reading := s.serveS3Parameters("--read-only", "box:")
	require.Equal(t, "secret", s.ok("cat", "s3://year/a"+reading))
	for _, args := range [][]string{{"rm", "s3://year/a" + reading}, {"mb", "s3://other/" + reading}} {
		_, stderr := s.exits(1, args...)
		require.Contains(t, stderr, "permission denied", args)
	}
	_, stderr := s.exits(2, "serve", "--s3", "--read-only")
	require.Contains(t, stderr, "must be used with a location")
}

func TestLocationMirrored(t *testing.T) {
	first := newDirectoryAddress(t)
	second := newDirectoryAddress(t)
	s, _ := newConfiguredShell(t, "locations:\n  first: "+first+"\n  second: "+second+"\n  box:\n    address: "+first+"\n    layers: [{mirror: second}]\n"+
		"  other:\n    address: "+newDirectoryAddress(t)+"\n    layers: [{mirror: second}]\n  twice:\n    address: "+first+"\n    layers: [{mirror: box}]\n  account:\n    address: s3://?region=eu-west-1\n    layers: [{mirror: second}]\n")

	s.put("box:a", "text")
	require.Equal(t, "text", s.ok("cat", "second:a"))
	s.put("first:b", "past the layer")
	require.Equal(t, "a\nb\n", s.ok("ls", "first:"), "not the notes")
	require.Equal(t, "a\nb\n", s.ok("find", "first:"))
	require.NotContains(t, s.ok("tree", "first:"), "omnibucket")
	require.Equal(t, "0 notes\n", s.ok("repair", "--dry-run", "box:"))
	require.JSONEq(t, `{"repaired":0,"removed":0,"recent":0,"failed":0,"undecided":0,"ignored":0}`,
		s.ok("repair", "--json", "box:"))
	require.Equal(t, "copied b\n1 repaired, 0 of them removed from the second store, "+
		"0 with a note that stays for an hour, 0 failed, 0 undecided, 0 ignored\n",
		s.ok("repair", "--all", "--dry-run", "box:"))
	require.Equal(t, `{"event":"copied","key":"b"}
{"failed":0,"ignored":0,"recent":0,"removed":0,"repaired":1,"undecided":0}
`, s.ok("repair", "--all", "--json", "box:"))
	require.Equal(t, "past the layer", s.ok("cat", "second:b"))
	require.Equal(t, "a\nb\n", s.ok("ls", "first:"), "not the mark")
	require.Contains(t, s.ok("ls", "first:.omnibucket-mirror/"), "pair", "unless it is named")

	s.ok("rm", "box:a")
	require.Equal(t, "b\n", s.ok("ls", "second:"))
	s.put("second:c", "nobody knows whose")
	s.put("other:b", "a new primary")
	stdout, stderr := s.exits(4, "repair", "--all", "--dry-run", "other:")
	require.Equal(t, "undecided c\n0 repaired, 0 of them removed from the second store, "+
		"0 with a note that stays for an hour, 0 failed, 1 undecided, 0 ignored\n", stdout)
	require.Contains(t, stderr, "use --primary-is-right")

	_, stderr = s.exits(4, "repair", "--all", "other:")
	require.Contains(t, stderr, "swap the roles")
	require.Equal(t, "nobody knows whose", s.ok("cat", "second:c"))

	_, stderr = s.exits(2, "repair", "--primary-is-right", "other:")
	require.Contains(t, stderr, "must be used with --all")
	s.ok("repair", "--all", "--primary-is-right", "other:")
	require.Equal(t, "b\n", s.ok("ls", "second:"))

	_, stderr = s.exits(2, "repair", "first:")
	require.Contains(t, stderr, "must have the layer mirror")
	_, stderr = s.exits(2, "ls", "twice:")
	require.Contains(t, stderr, "a whole bucket without layers")

	for _, args := range [][]string{{"serve", "--s3", "account:"}, {"ls", "account:photos"},
		{"rm", "account:photos/a"}} {
		_, stderr = s.exits(2, args...)
		require.Contains(t, stderr, "must be one bucket", args)
	}
}

// This test runs the commands of docs/when-a-store-is-gone.md.
func TestWhenAStoreIsGone(t *testing.T) {
	root := t.TempDir()
	address := func(name string) string {
		return "file://" + filepath.ToSlash(filepath.Join(root, name)) + "?create=true"
	}
	var text strings.Builder
	text.WriteString("locations:\n")
	for _, name := range []string{"first", "second", "third"} {
		fmt.Fprintf(&text, "  %s: %s\n", name, address(name))
	}
	for name, roles := range map[string][2]string{
		"photos":   {"first", "second"},
		"swapped":  {"second", "first"},
		"moved":    {"second", "third"},
		"replaced": {"first", "third"},
	} {
		fmt.Fprintf(&text, "  %s:\n    address: %s\n    layers: [{mirror: %s}]\n", name, address(roles[0]), roles[1])
	}

	equal := func(s *shell, a, b string, objects map[string]string) {
		for _, name := range []string{a, b} {
			lines := ""
			for _, key := range slices.Sorted(maps.Keys(objects)) {
				lines += key + "\n"
				require.Equal(t, objects[key], s.ok("cat", name+":"+key), name)
			}
			require.Equal(t, lines, s.ok("ls", name+":"))
		}
	}

	tests := []struct {
		name string
		do   func(s *shell)
	}{
		{"the primary is lost", func(s *shell) {
			require.NoError(t, os.RemoveAll(filepath.Join(root, "first")))
			s.put("moved:c", "new")
			lines := strings.Split(s.ok("repair", "--all", "--dry-run", "moved:"), "\n")
			require.ElementsMatch(t, []string{"copied a", "copied b"}, lines[:2])
			require.Contains(t, lines[2], "2 repaired, 0 of them removed")
			s.ok("repair", "--all", "moved:")
			equal(s, "second", "third", map[string]string{"a": "one", "b": "two", "c": "new"})
		}},
		{"a copy to a new primary was interrupted", func(s *shell) {
			require.NoError(t, os.RemoveAll(filepath.Join(root, "first")))
			s.ok("cp", "second:a", "first:a")
			_, stderr := s.exits(4, "repair", "--all", "photos:")
			require.Contains(t, stderr, "nothing was removed or replaced")
			equal(s, "second", "second", map[string]string{"a": "one", "b": "two"})
		}},
		{"the second store is lost", func(s *shell) {
			require.NoError(t, os.RemoveAll(filepath.Join(root, "second")))
			s.put("replaced:c", "new")
			s.ok("repair", "--all", "replaced:")
			require.Equal(t, "0 notes\n", s.ok("repair", "--dry-run", "replaced:"))
			equal(s, "first", "third", map[string]string{"a": "one", "b": "two", "c": "new"})
		}},
		{"the primary is restored from a snapshot", func(s *shell) {
			require.NoError(t, os.CopyFS(filepath.Join(root, "snapshot"), os.DirFS(filepath.Join(root, "first"))))
			s.put("photos:a", "changed")
			s.put("photos:c", "new")
			require.NoError(t, os.RemoveAll(filepath.Join(root, "first")))
			require.NoError(t, os.Rename(filepath.Join(root, "snapshot"), filepath.Join(root, "first")))

			stdout, _ := s.exits(4, "repair", "--all", "--dry-run", "photos:")
			require.ElementsMatch(t, []string{"undecided a", "undecided c"}, strings.Split(stdout, "\n")[:2])
			s.exits(4, "repair", "--all", "photos:")
			s.ok("repair", "--all", "--primary-is-right", "swapped:")
			equal(s, "first", "second", map[string]string{"a": "changed", "b": "two", "c": "new"})

			s.ok("repair", "--all", "photos:")
			s.ok("rm", "photos:a")
			equal(s, "first", "second", map[string]string{"b": "two", "c": "new"})
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, name := range []string{"first", "second", "third", "snapshot"} {
				require.NoError(t, os.RemoveAll(filepath.Join(root, name)))
			}
			s, _ := newConfiguredShell(t, text.String())
			s.put("photos:a", "one")
			s.put("photos:b", "two")
			s.ok("repair", "--all", "photos:")
			tt.do(s)
		})
	}
}

func TestLocationMoving(t *testing.T) {
	oldDir := newDirectoryAddress(t)
	newDir := newDirectoryAddress(t)
	s, _ := newConfiguredShell(t, "locations:\n  before: "+oldDir+"\n  after: "+newDir+"\n  box:\n    address: "+newDir+"\n    layers: [{overlay: {old: before, keep_old: true}}]\n"+
		"  later:\n    address: "+newDir+"\n    layers: [{overlay: {old: before, keep_old: true, new_only: true}}]\n")
	s.put("before:a", "old")
	s.put("before:b", "old")
	s.put("before:c", "old")
	s.put("box:b", "new")

	s.ok("rm", "box:c")
	require.Equal(t, "a\nb\n", s.ok("ls", "box:"))
	require.Equal(t, "old", s.ok("cat", "before:c"), "keep_old")
	require.Equal(t, "1 objects left\n", s.ok("finish", "--dry-run", "box:"))
	require.JSONEq(t, `{"copied":1,"bytes":3,"left":0,"markers":0,"tombstones":1,"ignored":0}`,
		s.ok("finish", "--json", "box:"))

	s.ok("rm", "later:a")
	require.Equal(t, "b\n", s.ok("ls", "box:"), "new_only")
	require.Equal(t, "0 copied, 0 bytes, 0 left, 0 markers, 0 tombstones, 0 ignored\n",
		s.ok("finish", "--remove-tombstones", "box:"))
	require.Equal(t, "b\n", s.ok("ls", "after:"))
	require.Equal(t, "new", s.ok("cat", "after:b"))

	_, stderr := s.exits(2, "finish", "after:")
	require.Contains(t, stderr, "must have the layer overlay")
}

// serveS3Parameters starts serve --s3, and returns the parameters of an address of its buckets.
func (s *shell) serveS3Parameters(args ...string) string {
	s.t.Setenv("AWS_ACCESS_KEY_ID", "the-key")
	s.t.Setenv("AWS_SECRET_ACCESS_KEY", "the-secret")
	return "?path_style=true&region=us-east-1&endpoint=" + s.serveS3(args...)
}

func TestFinishAndRepairNeedTheirLayer(t *testing.T) {
	oldDir := newDirectoryAddress(t)
	s, _ := newConfiguredShell(t, "locations:\n  before: "+oldDir+"\n  same:\n    address: "+oldDir+"\n    layers: [{overlay: {old: before}}]\n"+
		"  both:\n    address: "+newDirectoryAddress(t)+"\n    layers: [{mirror: before}, {overlay: {old: other}}]\n  other: "+newDirectoryAddress(t)+"\n")
	tests := []struct {
		name, command, location, says string
	}{
		{
			name:     "finish without layers",
			command:  "finish",
			location: "before:",
			says: `the location must have the layer overlay
hint: add "layers: [{overlay: {old: NAME}}]" to it in the configuration`,
		},
		{
			name:     "repair without layers",
			command:  "repair",
			location: "before:",
			says: `the location must have the layer mirror
hint: add "layers: [{mirror: NAME}]" to it in the configuration`,
		},
		{
			name:     "repair of a mirror below an overlay",
			command:  "repair",
			location: "both:",
			says:     "if another layer of two stores follows mirror, name a location of the same store without that one",
		},
		{name: "finish of one store", command: "finish", location: "same:", says: "must not be the same bucket"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, args := range [][]string{{tt.command, tt.location}, {tt.command, "--dry-run", tt.location}} {
				_, stderr := s.exits(2, args...)
				require.Contains(t, stderr, tt.says)
			}
		})
	}
}

func TestGatewayInFrontOfTwoStores(t *testing.T) {
	root := filepath.ToSlash(t.TempDir())
	old := "file://" + root + "/old?create=true"
	moving := "file://" + root + "/photos?create=true"
	s, _ := newConfiguredShell(t, "locations:\n  old: "+old+"\n  photos:\n    address: "+moving+"\n    layers: [{overlay: {old: old}}]\n")
	s.put("old:a", "old")
	s.put("photos:b", "new")

	parameters := s.serveS3Parameters("photos:")
	require.Equal(t, "a\nb\n", s.ok("ls", "s3://photos/"+parameters))
	require.Equal(t, "old", s.ok("cat", "s3://photos/a"+parameters))

	s.ok("rm", "s3://photos/a"+parameters)
	s.put("s3://photos/c"+parameters, "by a client of S3")
	require.Equal(t, "b\nc\n", s.ok("ls", "photos:"))
	require.Empty(t, s.ok("ls", "old:"))
}

func TestGatewayInFrontOfOneBucket(t *testing.T) {
	stores := newShell(t).serveS3Parameters("--create", "year", "--create", "other")
	identity, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	s, _ := newConfiguredShell(t, "locations:\n  plain: s3://year"+stores+"\n  box:\n    address: s3://year"+stores+"\n    layers: [{encrypt: {identity_variable: BOX_KEYS}}]\n")
	s.env["BOX_KEYS"] = identity.String()
	parameters := s.serveS3Parameters("box:")

	s.put("s3://year/a"+parameters, "secret")
	require.Equal(t, "secret", s.ok("cat", "s3://year/a"+parameters))
	require.Equal(t, "secret", s.ok("cat", "box:a"))
	require.NotContains(t, s.ok("cat", "plain:a"), "secret")
	require.Equal(t, "year\n", s.ok("ls", "--buckets", "s3://"+parameters), "no other bucket of the account")

	tests := []struct {
		name, says string
		code       int
		args       []string
	}{
		{name: "another bucket of the account", says: "bucket not found", code: 3, args: []string{"ls", "s3://other/" + parameters}},
		{name: "a new bucket", says: "permission denied", code: 1, args: []string{"mb", "s3://new-bucket/" + parameters}},
		{name: "the removal of another bucket", says: "bucket not found", code: 3, args: []string{"rb", "s3://other/" + parameters}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, stderr := s.exits(tt.code, tt.args...)
			require.Contains(t, stderr, tt.says)
		})
	}
}

// If a location is being moved, reading an object copies it to the new store.
func TestLocationMovingCopiesOnRead(t *testing.T) {
	oldDir := newDirectoryAddress(t)
	newDir := newDirectoryAddress(t)
	s, _ := newConfiguredShell(t, "locations:\n  before: "+oldDir+"\n  after: "+newDir+"\n  box:\n    address: "+newDir+"\n    layers: [{overlay: {old: before, copy_on_read: true}}]\n")
	s.put("before:a", "old")
	require.Equal(t, "old", s.ok("cat", "box:a"))
	require.Equal(t, "old", s.ok("cat", "after:a"))
}

func TestLayersInvalid(t *testing.T) {
	tests := []struct{ name, layers, says string }{
		{
			"an unknown layer", "    - hunter2: {}\n",
			"a name that is known: diskcache, encrypt, limit, mirror, overlay, readonly",
		},
		{
			"an unknown field", "    - limit: {hunter2: 1}\n",
			"limit: there must be no other fields than bytes, reads, writes, lists",
		},
		{"two in one", "    - {readonly: {}, limit: {reads: 1}}\n", "must have one name"},
		{"none", "    - {}\n", "must have one name"},
		{"a negative limit", "    - limit: {reads: -1}\n", "limit: Config.Requests must have numbers from 0.001"},
		{"no rate", "    - limit: {bytes: hunter2}\n", "limit: timetable must have rates"},
		{"a relative directory", "    - diskcache: {dir: hunter2}\n", "diskcache: dir must be an absolute path"},
		{"no size", "    - diskcache: {dir: /c, max: hunter2}\n", "diskcache: max must be a size"},
		{"no identity", "    - encrypt: {}\n", "encrypt: identity_file, identity_variable or recipients must be set"},
		{"two places of identities", "    - encrypt: {identity_file: /hunter2, identity_variable: A}\n", "must not be used together"},
		{"an identity in place of its file", "    - encrypt: {identity_file: AGE-SECRET-KEY-hunter2}\n", "identity_file must be an absolute path"},
		{"an identity in place of its variable", "    - encrypt: {identity_variable: AGE-SECRET-KEY-hunter2}\n", "must be the name of an environment variable"},
		{"an identity in place of a recipient", "    - encrypt: {recipients: [AGE-SECRET-KEY-hunter2]}\n", "recipients must be public keys of age"},
		{
			"an address in place of a name", "    - mirror: s3://hunter2\n",
			"mirror: the second store must be the name of a location",
		},
		{
			"an address in place of an old store", "    - overlay: {old: s3://hunter2}\n",
			"overlay: the second store must be the name of a location",
		},
		{"no old store", "    - overlay: {keep_old: true}\n", "overlay: old must name the location of the old store"},
		{"two layers of two stores in one", "    - {mirror: a, overlay: {old: hunter2}}\n", "must have one name"},
		{"no duration", "    - diskcache: {dir: /c, trust: hunter2}\n", "diskcache: trust must be a duration"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newLayeredShell(t, tt.layers)
			_, stderr := s.exits(2, "ls", "plain:")
			require.Contains(t, stderr, tt.says)
			require.NotContains(t, stderr, "hunter2")
		})
	}
}
