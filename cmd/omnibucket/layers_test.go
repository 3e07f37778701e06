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

// newLayeredShell returns a shell with two locations of the same bucket: "box" has the given layers, and "plain" has
// none.
func newLayeredShell(t *testing.T, layers string) *shell {
	t.Helper()
	address := newDirectoryAddress(t)
	s, _ := newConfiguredShell(t, "locations:\n  plain: "+address+"\n  box:\n    address: "+address+"\n    layers:\n"+layers)
	return s
}

// With the layer readonly, a location can be read, and each change is refused.
func TestLocationReadOnly(t *testing.T) {
	// The location "plain" is the same bucket as "box", but without the layer.
	s := newLayeredShell(t, "    - readonly: {}\n")
	s.put("plain:a", "text")

	// Reads succeed.
	require.Equal(t, "text", s.run("cat", "box:a"))
	require.Equal(t, "a\n", s.run("ls", "box:"))
	s.run("cp", "box:a", "plain:copy")

	// Changes are refused.
	for _, args := range [][]string{
		{"cp", "box:a", "box:b"},
		{"rm", "box:a"},
		{"rb", "box:"},
		{"rb", "--force", "box:"},
		{"mb", "box:"},
	} {
		_, stderr := s.requireExit(exitFailure, args...)
		require.Contains(t, stderr, "permission denied", args)
	}
	require.Equal(t, "a\ncopy\n", s.run("ls", "plain:"), "nothing was changed")
}

// The lines in a file of the command "run" share the limit of a location. Three reads at four a
// second take at least half a second.
func TestLocationLimited(t *testing.T) {
	s := newLayeredShell(t, "    - limit: {bytes: 1G, reads: 4}\n")
	s.put("plain:a", "text")
	s.stdin = "cat box:a\ncat box:a\ncat box:a\n"

	start := time.Now()
	require.Equal(t, "texttexttext", s.run("-q", "run", "-"))
	require.GreaterOrEqual(t, time.Since(start), 500*time.Millisecond)
}

// The layer diskcache makes its directory, and keeps what it reads there.
func TestLocationCached(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	s := newLayeredShell(t, "    - diskcache: {dir: "+dir+", max: 10M, trust: 1m}\n")
	s.put("box:a", "text")
	require.Equal(t, "text", s.run("cat", "box:a"))
	require.DirExists(t, dir)
}

// A location in the configuration may name its credentials. config add --replace changes only the
// address of a location.
func TestLocationWithNamedCredentials(t *testing.T) {
	const config = `locations:
  photos:
    address: s3://photos?region=eu-west-1
    credentials: old
    layers: [{readonly: {}}]
`
	s, path := newConfiguredShell(t, config)

	// config list prints the name of the credentials.
	require.Equal(t, "photos  s3://photos?region=eu-west-1&credentials=old  readonly\n", s.run("config", "list"))
	require.Contains(t, s.run("config", "list", "--json"), `"layers":["readonly"]`)

	// The credentials "old" are in variables that begin with OLD_, and these are not set.
	_, stderr := s.requireExit(exitFailure, "ls", "photos:")
	require.Contains(t, stderr, "OLD_AWS_ACCESS_KEY_ID")

	// config add changes only the address in the file.
	s.run("config", "add", "--replace", "photos", "mem://photos")
	want := strings.Replace(config, "s3://photos?region=eu-west-1", "mem://photos", 1)
	require.Equal(t, want, readFile(t, path), "the rest stays")
}

// A gateway in front of a read-only location serves the objects of the location, and refuses each
// change.
func TestGatewayReadOnly(t *testing.T) {
	dir := "file://" + filepath.ToSlash(t.TempDir())
	config := "locations:\n  reports:\n    address: " + dir + "\n    layers: [{readonly: {}}]\n"
	s, _ := newConfiguredShell(t, config)
	s.run("mb", dir+"/year")
	s.put(dir+"/year#a", "text")

	// With these parameters, an address leads to the gateway.
	gateway := s.serveS3Parameters("reports:")
	require.Equal(t, "text", s.run("cat", "s3://year/a"+gateway))
	for _, args := range [][]string{
		{"rm", "s3://year/a" + gateway},
		{"rb", "--force", "s3://year/" + gateway},
		{"mb", "s3://other/" + gateway},
	} {
		_, stderr := s.requireExit(exitFailure, args...)
		require.Contains(t, stderr, "permission denied", args)
	}
	require.Equal(t, "text", s.run("cat", dir+"/year#a"))
}

// newEncryptingShell returns a shell with two locations of one bucket. "box" encrypts for the
// identity, and "plain" does not encrypt.
func newEncryptingShell(t *testing.T) (s *shell, identity *age.X25519Identity) {
	t.Helper()
	identity, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "identity.txt")
	require.NoError(t, os.WriteFile(file, []byte("# of a test\n"+identity.String()+"\n"), 0o600))
	return newLayeredShell(t, "    - encrypt: {identity_file: "+file+"}\n"), identity
}

// Commands encrypt what they store at an encrypted location, and decrypt what they read.
func TestLocationEncrypted(t *testing.T) {
	// newBoxWithSecret returns a shell with the encrypted object box:a. The location "plain" is the
	// same bucket, but does not encrypt.
	newBoxWithSecret := func(t *testing.T) *shell {
		t.Helper()
		s, _ := newEncryptingShell(t)
		s.put("box:a", "secret")
		require.NotContains(t, s.run("cat", "plain:a"), "secret")
		return s
	}

	t.Run("reads of content and of ranges and sizes", func(t *testing.T) {
		s := newBoxWithSecret(t)
		require.Equal(t, "secret", s.run("cat", "box:a"))
		require.Equal(t, "cre", s.run("cat", "--range", "2:3", "box:a"))
		require.Regexp(t, `^ +6  \S+Z  a\n$`, s.run("ls", "-l", "box:"), "the size of the plain bytes")
		require.EqualValues(t, len("secret"), statOf(s, "box:a").Size)
	})
	t.Run("copies within the location and out of it", func(t *testing.T) {
		s := newBoxWithSecret(t)
		s.run("cp", "box:a", "box:copy")
		require.Equal(t, "secret", s.run("cat", "box:copy"))
		s.run("cp", "box:a", "plain:opened")
		require.Equal(t, "secret", s.run("cat", "plain:opened"))
	})
	t.Run("trees", func(t *testing.T) {
		s := newBoxWithSecret(t)
		dir := t.TempDir()
		writeFiles(t, dir, map[string]string{"1": "one", "2/3": "three"})

		s.run("-q", "sync", dir, "box:tree/")
		require.Equal(t, "three", s.run("cat", "box:tree/2/3"))
		require.Empty(t, s.run("-q", "diff", dir, "box:tree/"))
		s.run("mv", "box:tree/1", "box:moved")
		require.Equal(t, "one", s.run("cat", "box:moved"))
	})
	t.Run("a plain object is refused", func(t *testing.T) {
		s := newBoxWithSecret(t)
		s.run("cp", "box:a", "plain:opened")
		_, stderr := s.requireExit(exitFailure, "cat", "box:opened")
		require.Contains(t, stderr, "checksum mismatch")
	})
	t.Run("a link is refused", func(t *testing.T) {
		// Somebody with the link could not decrypt the object.
		s := newBoxWithSecret(t)
		_, stderr := s.requireExit(exitFailure, "sign", "box:a")
		require.Contains(t, stderr, "encrypted by this program")
	})
}

// A command that uses a location fails if the location's identities are missing or invalid.
func TestLocationIdentitiesMissing(t *testing.T) {
	address := newDirectoryAddress(t)
	s, _ := newConfiguredShell(t, `locations:
  plain: `+address+`
  box:
    address: `+address+`
    layers: [{encrypt: {identity_variable: BOX_KEYS}}]
  nofile:
    address: `+address+`
    layers: [{encrypt: {identity_file: `+filepath.Join(t.TempDir(), "none")+`}}]
`)
	s.put("plain:plain", "plain") // needs no identity

	// The file or the variable is missing.
	_, stderr := s.requireExit(exitUsage, "cat", "nofile:a")
	require.Contains(t, stderr, "identity_file must be readable")
	_, stderr = s.requireExit(exitUsage, "cat", "box:a")
	require.Contains(t, stderr, "the variable BOX_KEYS must be set")

	// The variable has a malformed identity, and the error does not repeat it.
	const malformedIdentity = "hunter2"
	s.env["BOX_KEYS"] = malformedIdentity
	_, stderr = s.requireExit(exitUsage, "cat", "box:a")
	require.Contains(t, stderr, "identities must be a file of age-keygen")
	require.NotContains(t, stderr, malformedIdentity)
}

// A location with identities reads the objects that were encrypted for any of them. With a recipient alone, a location
// can be written, but not read.
func TestLocationIdentities(t *testing.T) {
	identity, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	hybrid, err := age.GenerateHybridIdentity()
	require.NoError(t, err)

	// All locations are the same bucket, and all but "plain" encrypt. The file of "unused" is
	// missing, but no other location needs it.
	address := newDirectoryAddress(t)
	encrypted := func(name, fields string) string {
		return "  " + name + ":\n    address: " + address + "\n    layers:\n    - encrypt: {" + fields + "}\n"
	}
	s, _ := newConfiguredShell(t, "locations:\n  plain: "+address+"\n"+
		encrypted("box", "identity_variable: BOX_KEYS")+
		encrypted("write", "recipients: ["+identity.Recipient().String()+"]")+
		encrypted("quantum", "identity_variable: BOX_KEYS, recipients: ["+hybrid.Recipient().String()+"]")+
		encrypted("old", "identity_variable: BOX_KEYS, allow_plain: true")+
		encrypted("unused", "identity_file: "+filepath.Join(t.TempDir(), "missing")))
	s.put("plain:plain", "plain")

	// With both identities, box reads what each location wrote.
	s.env["BOX_KEYS"] = hybrid.String() + "\n" + identity.String()
	for _, name := range []string{"box", "write", "quantum", "old"} {
		s.put(name+":"+name, "secret")
		require.Equal(t, "secret", s.run("cat", "box:"+name), name)
	}

	// The location "write" has no identity to decrypt with, and "old" permits objects that are not encrypted.
	_, stderr := s.requireExit(exitFailure, "cat", "write:write")
	require.Contains(t, stderr, "permission denied")
	require.Equal(t, "plain", s.run("cat", "old:plain"))
}

// cat --raw prints an encrypted object as it is stored, whether the location has the layer or not.
// The output is a file in the format of age.
func TestRawObjectIsAnAgeFile(t *testing.T) {
	s, identity := newEncryptingShell(t)
	content := strings.Repeat("a long text ", 20_000)
	s.put("box:a", content)

	// The raw object can be decrypted, and ranges of it are ranges of the encrypted bytes.
	for _, address := range []string{"box:a", "plain:a"} {
		file := s.run("cat", "--raw", address)
		r, err := age.Decrypt(strings.NewReader(file), identity)
		require.NoError(t, err, address)
		decrypted, err := io.ReadAll(r)
		require.NoError(t, err, address)
		require.True(t, content == string(decrypted), address)

		require.Equal(t, file[100:150], s.run("cat", "--raw", "--range", "100:50", address))
		require.Equal(t, file[len(file)-7:], s.run("cat", "--raw", "--range", "-7", address), "the last bytes")
	}

	// An object that is not encrypted is printed as it is.
	s.put("plain:b", "plain")
	require.Equal(t, "plain", s.run("cat", "--raw", "plain:b"))

	// In a file of the command "run", each line opens the location with its own layers. The lines run in any order.
	raw := s.run("cat", "--raw", "box:a")
	s.stdin = "cat box:a\ncat --raw box:a\n"
	require.Contains(t, []string{content + raw, raw + content}, s.run("-q", "run", "-"))
}

// The program age decrypts a raw object.
func TestRawObjectDecryptedByAge(t *testing.T) {
	// Build the program.
	dir := t.TempDir()
	program := filepath.Join(dir, "age")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "filippo.io/age/cmd/age")
	output, err := build.CombinedOutput()
	require.NoError(t, err, "%s", output)

	// Write a raw object and the identity that decrypts it into files.
	s, identity := newEncryptingShell(t)
	s.put("box:a", "secret")
	writeFiles(t, dir, map[string]string{"identity": identity.String(), "file": s.run("cat", "--raw", "box:a")})

	// The program decrypts the file.
	decrypt := exec.CommandContext(t.Context(), program, "--decrypt", "-i", "identity", "file")
	decrypt.Dir = dir
	plain, err := decrypt.Output()
	require.NoError(t, err)
	require.Equal(t, "secret", string(plain))
}

// serve decrypts objects of an encrypted location, and caches them.
func TestServeWithAllLayers(t *testing.T) {
	s, _ := newEncryptingShell(t)
	s.put("box:a", "secret")
	cache := filepath.Join(t.TempDir(), "cache")
	url := s.serve("--cache", cache, "--read-only", "box:")
	for range 2 { // from the store, and then from the cache
		status, body := get(t, url+"a")
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, "secret", body)
	}
	require.DirExists(t, cache)
}

// The cache also keeps objects that were read without a revision. Browsers, S3 clients and most
// commands read in this way. A second read gets no bytes from the store, and a read after a change
// gets the new content.
func TestCacheKeepsWhatWasRead(t *testing.T) {
	tests := []struct {
		name      string
		layer     bool // whether the location has the cache, and not the server that reads it
		versioned bool
		newReader func(s *shell, cache string) (read func() string)
	}{
		{name: "file server", newReader: newReaderOfFileServer},
		{name: "S3 gateway", newReader: newReaderOfGateway},
		{name: "S3 gateway with versions", versioned: true, newReader: newReaderOfGateway},
		{name: "location with a cache", layer: true, newReader: newReaderOfLocation},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cache := filepath.Join(t.TempDir(), "cache")
			layers := "[]"
			if tt.layer {
				layers = "[{diskcache: {dir: " + cache + "}}]"
			}
			s, _ := newConfiguredShell(t, "locations:\n  box:\n    address: s3://photos\n    layers: "+layers+"\n")

			// The server of the store counts the bytes of objects that it sends.
			var bytesSent atomic.Int64
			s.startS3Location("box", s3server.Config{Log: func(e s3server.Entry) {
				if e.Operation == "GetObject" && e.Status < http.StatusMultipleChoices {
					bytesSent.Add(e.Sent)
				}
			}})
			if tt.versioned {
				s.run("bucket", "--versioning", "on", "box:")
			}
			s.put("box:a", "first content")
			read := tt.newReader(s, cache) // reads box:a

			require.Equal(t, "first content", read())
			require.Equal(t, "first content", read())
			require.EqualValues(t, len("first content"), bytesSent.Load(), "the second time, it comes from the cache")

			s.put("box:a", "second content")
			require.Equal(t, "second content", read())
		})
	}
}

// newReaderOfFileServer serves the location "box" as files, and returns a function that reads the object "a" from the
// server.
func newReaderOfFileServer(s *shell, cache string) (read func() string) {
	serverURL := s.serve("--cache", cache, "box:")
	return func() string {
		_, body := get(s.t, serverURL+"a")
		return body
	}
}

// newReaderOfGateway serves the location "box" with the protocol of S3, and returns a function that reads the object
// "a" from the server.
func newReaderOfGateway(s *shell, cache string) (read func() string) {
	s.env["AWS_ACCESS_KEY_ID"] = s3server.DefaultAccessKeyID
	s.env["AWS_SECRET_ACCESS_KEY"] = s3server.DefaultSecretKey
	endpoint := s.serve("--s3", "--cache", cache, "box:")
	return func() string {
		return s.run("cat", "s3://photos/a?path_style=true&region=us-east-1&endpoint="+endpoint)
	}
}

// newReaderOfLocation returns a function that reads the object "a" from the location "box". This
// location has the cache.
func newReaderOfLocation(s *shell, _ string) (read func() string) {
	return func() string { return s.run("cat", "box:a") }
}

// A gateway may encrypt, cache, limit its rate and refuse changes, all at the same time.
func TestGatewayWithAllLayers(t *testing.T) {
	// The location box encrypts what it stores in buckets of a directory.
	dir := "file://" + filepath.ToSlash(t.TempDir())
	config := "locations:\n  box:\n    address: " + dir + "\n    layers: [{encrypt: {identity_variable: BOX_KEYS}}]\n"
	s, _ := newConfiguredShell(t, config)
	identity, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	s.env["BOX_KEYS"] = identity.String()

	// This gateway encrypts, caches and limits its rate.
	cache := filepath.Join(t.TempDir(), "cache")
	gateway := s.serveS3Parameters("--create", "year", "--cache", cache, "--bwlimit", "100M", "box:")
	s.put("s3://year/a"+gateway, "secret")
	require.Equal(t, "secret", s.run("cat", "s3://year/a"+gateway))
	require.NotContains(t, s.run("cat", dir+"/year#a"), "secret")
	require.DirExists(t, cache)

	// Another gateway refuses changes.
	readOnly := s.serveS3Parameters("--read-only", "box:")
	require.Equal(t, "secret", s.run("cat", "s3://year/a"+readOnly))
	for _, args := range [][]string{{"rm", "s3://year/a" + readOnly}, {"mb", "s3://other/" + readOnly}} {
		_, stderr := s.requireExit(exitFailure, args...)
		require.Contains(t, stderr, "permission denied", args)
	}

	// A gateway that refuses changes must have a location.
	_, stderr := s.requireExit(exitUsage, "serve", "--s3", "--read-only")
	require.Contains(t, stderr, "must be used with a location")
}

// Gateways of one directory share the settings of its buckets. If one gateway stores a lifecycle
// rule, the other gateways have it, too, even if they have layers or refuse changes.
func TestGatewaysShareSettings(t *testing.T) {
	s := newShell(t)
	dir := "file://" + filepath.ToSlash(t.TempDir())
	// The addresses of the gateways have the profile of MinIO, a server that has lifecycle rules.
	const minioProfile = "&profile=minio"

	// The first gateway makes the bucket "year", and stores a rule that the command reads from standard input.
	gateway := s.serveS3Parameters("--create", "year", dir) + minioProfile
	s.stdin = `[{"id":"tmp","prefix":"tmp/","expireAfterDays":7}]`
	s.run("bucket", "--lifecycle", "-", "s3://year/"+gateway)

	// The rule is also in a gateway with a layer that limits its rate, and in a gateway that
	// refuses changes.
	for _, flags := range [][]string{{"--bwlimit", "100M"}, {"--read-only"}} {
		other := s.serveS3Parameters(append(flags, dir)...) + minioProfile
		require.Contains(t, s.run("bucket", "--json", "s3://year/"+other), `"prefix":"tmp/"`, flags)
	}
}

// With the layer mirror, a change goes to both stores. Listings do not show what the layer keeps for itself.
func TestLocationMirrored(t *testing.T) {
	// The location "box" mirrors the location "first" to "second".
	s := newMirroringShell(t)
	s.put("box:a", "text")
	require.Equal(t, "text", s.run("cat", "second:a"))

	// The layer keeps notes about changes in the first store.
	require.Equal(t, "a\n", s.run("ls", "first:"), "not the notes")
	require.Equal(t, "a\n", s.run("find", "first:"))
	require.NotContains(t, s.run("tree", "first:"), "omnibucket")

	s.run("rm", "box:a")
	require.Empty(t, s.run("ls", "second:"))
}

// If an object was written to the first store without the mirror, repair --all copies it to the
// second store.
func TestRepairOfAMirror(t *testing.T) {
	// The location "box" mirrors the location "first" to "second".
	s := newMirroringShell(t)
	s.put("box:a", "text")
	s.put("first:b", "past the layer")

	// The layer announces each write by a note. Without --all, repair does only what notes say, and
	// there is no note.
	require.Equal(t, "0 notes\n", s.run("repair", "--dry-run", "box:"))
	require.JSONEq(t, `{"repaired":0,"removed":0,"recent":0,"failed":0,"undecided":0,"ignored":0}`,
		s.run("repair", "--json", "box:"))

	// With --all, repair compares all objects of both stores.
	require.Equal(t, "copied b\n1 repaired, 0 of them removed from the second store, "+
		"0 with a note that stays for an hour, 0 failed, 0 undecided, 0 ignored\n",
		s.run("repair", "--all", "--dry-run", "box:"))
	require.Equal(t, `{"event":"copied","key":"b"}
{"failed":0,"ignored":0,"recent":0,"removed":0,"repaired":1,"undecided":0}
`, s.run("repair", "--all", "--json", "box:"))
	require.Equal(t, "past the layer", s.run("cat", "second:b"))

	// repair --all leaves a mark. A listing shows the mark only if the listed folder is that of the
	// mark.
	require.Equal(t, "a\nb\n", s.run("ls", "first:"))
	require.Contains(t, s.run("ls", "first:.omnibucket-mirror/"), "pair")
}

// An object that only the second store of a mirror has may be lost from the primary store, or left over in the second
// one. So repair --all fails and keeps it, unless --primary-is-right says that it is left over.
func TestRepairOfAMirrorUndecided(t *testing.T) {
	// The locations box: and other: are both mirrored to second:.
	s := newMirroringShell(t)
	s.put("box:b", "text")
	s.run("repair", "--all", "box:")

	// Both stores of the mirror other: have the object b, but only the second store has the object c.
	s.put("second:c", "nobody knows whose")
	s.put("other:b", "a new primary")

	// A dry run reports that it is undecided about c.
	stdout, stderr := s.requireExit(exitPrecondition, "repair", "--all", "--dry-run", "other:")
	require.Equal(t, "undecided c\n0 repaired, 0 of them removed from the second store, "+
		"0 with a note that stays for an hour, 0 failed, 1 undecided, 0 ignored\n", stdout)
	require.Contains(t, stderr, "use --primary-is-right")

	// A repair fails too, says what else the user can do, and keeps c.
	_, stderr = s.requireExit(exitPrecondition, "repair", "--all", "other:")
	require.Contains(t, stderr, "swap the roles")
	require.Equal(t, "nobody knows whose", s.run("cat", "second:c"))

	// The flag --primary-is-right means nothing without --all.
	_, stderr = s.requireExit(exitUsage, "repair", "--primary-is-right", "other:")
	require.Contains(t, stderr, "must be used with --all")

	// With both flags, the second store loses c.
	s.run("repair", "--all", "--primary-is-right", "other:")
	require.Equal(t, "b\n", s.run("ls", "second:"))
}

// A mirror must be of one bucket, and its second store must be a whole bucket without layers. The
// location of the command "repair" must have the layer mirror.
func TestLocationMirroredInvalid(t *testing.T) {
	// The location "first" has no layer. "twice" has the layer mirror, but its second store has a
	// layer, too.
	s := newMirroringShell(t)
	_, stderr := s.requireExit(exitUsage, "repair", "first:")
	require.Contains(t, stderr, "must have the layer mirror")
	_, stderr = s.requireExit(exitUsage, "ls", "twice:")
	require.Contains(t, stderr, "a whole bucket without layers")

	// The location "account" has the layer mirror, but is an account and not a bucket.
	for _, args := range [][]string{
		{"serve", "--s3", "account:"},
		{"ls", "account:photos"},
		{"rm", "account:photos/a"},
	} {
		_, stderr = s.requireExit(exitUsage, args...)
		require.Contains(t, stderr, "must be one bucket", args)
	}
}

// newMirroringShell returns a shell with several locations. "box" mirrors "first" to "second", and "other" mirrors
// another bucket to "second". The locations "twice" and "account" are invalid.
func newMirroringShell(t *testing.T) *shell {
	t.Helper()
	first := newDirectoryAddress(t)
	mirrored := func(name, address, second string) string {
		return "  " + name + ":\n    address: " + address + "\n    layers: [{mirror: " + second + "}]\n"
	}
	s, _ := newConfiguredShell(t, "locations:\n  first: "+first+"\n  second: "+newDirectoryAddress(t)+"\n"+
		mirrored("box", first, "second")+
		mirrored("other", newDirectoryAddress(t), "second")+
		mirrored("twice", first, "box")+
		mirrored("account", "s3://?region=eu-west-1", "second"))
	return s
}

// The tests of lost stores run the commands of docs/when-a-store-is-gone.md.
//
// If the primary is lost, repair copies everything from the second store to a third one.
func TestWhenThePrimaryIsLost(t *testing.T) {
	// The stores are directories in root. Two of them, "first" and "second", have the objects a and
	// b, until "first" is lost.
	s, root := newShellWithTwoStores(t)
	require.NoError(t, os.RemoveAll(filepath.Join(root, "first")))

	// The location "moved" mirrors "second" to "third", which is empty.
	s.put("moved:c", "new")

	// A dry run says what is copied.
	lines := strings.Split(s.run("repair", "--all", "--dry-run", "moved:"), "\n")
	require.ElementsMatch(t, []string{"copied a", "copied b"}, lines[:2])
	require.Contains(t, lines[2], "2 repaired, 0 of them removed")

	// After the repair, both stores have exactly the same objects.
	s.run("repair", "--all", "moved:")
	requireExactly(s, "second", map[string]string{"a": "one", "b": "two", "c": "new"})
	requireExactly(s, "third", map[string]string{"a": "one", "b": "two", "c": "new"})
}

// If a copy to a new primary was interrupted, repair does not remove from the second store what the primary lacks.
func TestWhenACopyToANewPrimaryWasInterrupted(t *testing.T) {
	s, root := newShellWithTwoStores(t)
	require.NoError(t, os.RemoveAll(filepath.Join(root, "first")))

	// Only one of two objects was copied to the new primary.
	s.run("cp", "second:a", "first:a")

	_, stderr := s.requireExit(exitPrecondition, "repair", "--all", "photos:")
	require.Contains(t, stderr, "nothing was removed or replaced")
	requireExactly(s, "second", map[string]string{"a": "one", "b": "two"})
}

// If the second store is lost, repair copies everything from the primary to a third one.
func TestWhenTheSecondStoreIsLost(t *testing.T) {
	s, root := newShellWithTwoStores(t)
	require.NoError(t, os.RemoveAll(filepath.Join(root, "second")))

	// The location "replaced" mirrors "first", which has the objects a and b, to "third".
	s.put("replaced:c", "new")
	s.run("repair", "--all", "replaced:")

	require.Equal(t, "0 notes\n", s.run("repair", "--dry-run", "replaced:"), "nothing is left to do")
	requireExactly(s, "first", map[string]string{"a": "one", "b": "two", "c": "new"})
	requireExactly(s, "third", map[string]string{"a": "one", "b": "two", "c": "new"})
}

// If the primary is restored from an old snapshot, a repair with swapped roles copies the newer
// objects of the second store to it. Afterwards, the roles can be swapped back.
func TestWhenThePrimaryIsRestoredFromASnapshot(t *testing.T) {
	// The location "photos" mirrors "first" to "second". Both stores have the object a with the
	// text "one", and b with the text "two".
	s, root := newShellWithTwoStores(t)
	first := filepath.Join(root, "first")
	snapshot := filepath.Join(root, "snapshot")
	require.NoError(t, os.CopyFS(snapshot, os.DirFS(first)))

	// Both stores change after the snapshot, and then the first one returns to it.
	s.put("photos:a", "changed")
	s.put("photos:c", "new")
	require.NoError(t, os.RemoveAll(first))
	require.NoError(t, os.Rename(snapshot, first))

	// repair does not know which store is right, and changes nothing.
	stdout, _ := s.requireExit(exitPrecondition, "repair", "--all", "--dry-run", "photos:")
	require.ElementsMatch(t, []string{"undecided a", "undecided c"}, strings.Split(stdout, "\n")[:2])
	s.requireExit(exitPrecondition, "repair", "--all", "photos:")

	// With swapped roles, the second store is right.
	s.run("repair", "--all", "--primary-is-right", "swapped:")
	requireExactly(s, "first", map[string]string{"a": "changed", "b": "two", "c": "new"})
	requireExactly(s, "second", map[string]string{"a": "changed", "b": "two", "c": "new"})

	// Now the roles are as before.
	s.run("repair", "--all", "photos:")
	s.run("rm", "photos:a")
	requireExactly(s, "first", map[string]string{"b": "two", "c": "new"})
	requireExactly(s, "second", map[string]string{"b": "two", "c": "new"})
}

// newShellWithTwoStores returns a shell with three stores, which are directories in root: "first",
// "second" and "third". The location "photos" mirrors "first" to "second", and both have the
// objects a and b. The locations "swapped", "moved" and "replaced" are mirrors of other pairs of
// these stores.
func newShellWithTwoStores(t *testing.T) (s *shell, root string) {
	t.Helper()
	root = t.TempDir()
	addressOf := func(store string) string {
		return "file://" + filepath.ToSlash(filepath.Join(root, store)) + "?create=true"
	}
	var config strings.Builder
	config.WriteString("locations:\n")
	for _, store := range []string{"first", "second", "third"} {
		fmt.Fprintf(&config, "  %s: %s\n", store, addressOf(store))
	}
	for _, mirror := range []struct{ name, primary, second string }{
		{"photos", "first", "second"},
		{"swapped", "second", "first"},
		{"moved", "second", "third"},
		{"replaced", "first", "third"},
	} {
		fmt.Fprintf(&config, "  %s:\n    address: %s\n    layers: [{mirror: %s}]\n",
			mirror.name, addressOf(mirror.primary), mirror.second)
	}

	s, _ = newConfiguredShell(t, config.String())
	s.put("photos:a", "one")
	s.put("photos:b", "two")
	s.run("repair", "--all", "photos:")
	return s, root
}

// requireExactly requires that a location has these objects, and no other ones.
func requireExactly(s *shell, location string, objects map[string]string) {
	s.t.Helper()
	require.Equal(s.t, slices.Sorted(maps.Keys(objects)), splitLines(s.run("ls", location+":")))
	for key, content := range objects {
		require.Equal(s.t, content, s.run("cat", location+":"+key), location)
	}
}

// With the layer overlay, a location shows the objects of an old store until finish has copied them to the new one.
func TestLocationMoving(t *testing.T) {
	// The location "both" shows the new store in front of the old one. "both-later" has the same
	// stores and new_only, and uses only the new store.
	newAddress := newDirectoryAddress(t)
	s, _ := newConfiguredShell(t, `locations:
  old: `+newDirectoryAddress(t)+`
  new: `+newAddress+`
  both:
    address: `+newAddress+`
    layers: [{overlay: {old: old, keep_old: true}}]
  both-later:
    address: `+newAddress+`
    layers: [{overlay: {old: old, keep_old: true, new_only: true}}]
`)
	s.put("old:a", "old")
	s.put("old:b", "old")
	s.put("old:c", "old")
	s.put("both:b", "new")

	// A removed object disappears, although keep_old leaves it in the old store.
	s.run("rm", "both:c")
	require.Equal(t, "a\nb\n", s.run("ls", "both:"))
	require.Equal(t, "old", s.run("cat", "old:c"))

	// The command "finish" copies the object "a". The new store lacks only this object.
	require.Equal(t, "1 objects left\n", s.run("finish", "--dry-run", "both:"))
	require.JSONEq(t, `{"copied":1,"bytes":3,"left":0,"markers":0,"tombstones":1,"ignored":0}`,
		s.run("finish", "--json", "both:"))

	// From here on, only the new store counts.
	s.run("rm", "both-later:a")
	require.Equal(t, "b\n", s.run("ls", "both:"), "new_only")
	require.Equal(t, "0 copied, 0 bytes, 0 left, 0 markers, 0 tombstones, 0 ignored\n",
		s.run("finish", "--remove-tombstones", "both:"))
	require.Equal(t, "b\n", s.run("ls", "new:"))
	require.Equal(t, "new", s.run("cat", "new:b"))

	// The new store itself has no layer to finish.
	_, stderr := s.requireExit(exitUsage, "finish", "new:")
	require.Contains(t, stderr, "must have the layer overlay")
}

// serveS3Parameters starts serve --s3. It returns the parameters with which an address leads to
// this gateway.
func (s *shell) serveS3Parameters(args ...string) string {
	s.t.Setenv("AWS_ACCESS_KEY_ID", "the-key")
	s.t.Setenv("AWS_SECRET_ACCESS_KEY", "the-secret")
	return "?path_style=true&region=us-east-1&endpoint=" + s.serveS3(args...)
}

// finish and repair refuse a location that does not have their layer, and say how to add it.
func TestFinishAndRepairNeedTheirLayer(t *testing.T) {
	oldAddress := newDirectoryAddress(t)
	s, _ := newConfiguredShell(t, `locations:
  before: `+oldAddress+`
  other: `+newDirectoryAddress(t)+`
  same:
    address: `+oldAddress+`
    layers: [{overlay: {old: before}}]
  both:
    address: `+newDirectoryAddress(t)+`
    layers: [{mirror: before}, {overlay: {old: other}}]
`)

	tests := []struct {
		name     string
		command  string
		location string
		want     string // in standard error
	}{
		{
			name:     "finish without layers",
			command:  "finish",
			location: "before:",
			want: `the location must have the layer overlay
hint: add "layers: [{overlay: {old: NAME}}]" to it in the configuration`,
		},
		{
			name:     "repair without layers",
			command:  "repair",
			location: "before:",
			want: `the location must have the layer mirror
hint: add "layers: [{mirror: NAME}]" to it in the configuration`,
		},
		{
			name:     "repair of a mirror below an overlay",
			command:  "repair",
			location: "both:",
			want:     "if another layer of two stores follows mirror, name a location of the same store without that one",
		},
		{
			name:     "finish of one store",
			command:  "finish",
			location: "same:",
			want:     "must not be the same bucket",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := s.inSubtest(t)
			_, stderr := s.requireExit(exitUsage, tt.command, tt.location)
			require.Contains(t, stderr, tt.want)
			_, stderr = s.requireExit(exitUsage, tt.command, "--dry-run", tt.location)
			require.Contains(t, stderr, tt.want)
		})
	}
}

// A gateway in front of a location that is being moved shows clients of S3 the objects of both stores.
func TestGatewayInFrontOfTwoStores(t *testing.T) {
	root := "file://" + filepath.ToSlash(t.TempDir())
	s, _ := newConfiguredShell(t, `locations:
  old: `+root+`/old?create=true
  photos:
    address: `+root+`/photos?create=true
    layers: [{overlay: {old: old}}]
`)
	s.put("old:a", "old")
	s.put("photos:b", "new")

	// With these parameters, an address leads to the gateway.
	gateway := s.serveS3Parameters("photos:")
	require.Equal(t, "a\nb\n", s.run("ls", "s3://photos/"+gateway))
	require.Equal(t, "old", s.run("cat", "s3://photos/a"+gateway))

	// The location shows what a client of the gateway changes.
	s.run("rm", "s3://photos/a"+gateway)
	s.put("s3://photos/c"+gateway, "by a client of S3")
	require.Equal(t, "b\nc\n", s.run("ls", "photos:"))
	// The removed object is gone from the old store, too.
	require.Empty(t, s.run("ls", "old:"))
}

// A gateway in front of a location with layers serves its bucket, and no other bucket of the
// account.
func TestGatewayInFrontOfOneBucket(t *testing.T) {
	// The account is another server, with two buckets.
	account := newShell(t).serveS3Parameters("--create", "year", "--create", "other")
	identity, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	s, _ := newConfiguredShell(t, `locations:
  plain: s3://year`+account+`
  box:
    address: s3://year`+account+`
    layers: [{encrypt: {identity_variable: BOX_KEYS}}]
`)
	s.env["BOX_KEYS"] = identity.String()

	// With these parameters, an address leads to the gateway.
	gateway := s.serveS3Parameters("box:")
	s.put("s3://year/a"+gateway, "secret")
	require.Equal(t, "secret", s.run("cat", "s3://year/a"+gateway))
	require.Equal(t, "secret", s.run("cat", "box:a"))
	require.NotContains(t, s.run("cat", "plain:a"), "secret")

	// The gateway shows no other bucket, and can neither create nor remove one.
	require.Equal(t, "year\n", s.run("ls", "--buckets", "s3://"+gateway), "no other bucket of the account")
	_, stderr := s.requireExit(exitNotFound, "ls", "s3://other/"+gateway)
	require.Contains(t, stderr, "bucket not found")
	_, stderr = s.requireExit(exitFailure, "mb", "s3://new-bucket/"+gateway)
	require.Contains(t, stderr, "permission denied")
	_, stderr = s.requireExit(exitNotFound, "rb", "s3://other/"+gateway)
	require.Contains(t, stderr, "bucket not found")
}

// If a location that is being moved has copy_on_read, a read of an object copies the object to the
// new store.
func TestLocationMovingCopiesOnRead(t *testing.T) {
	newAddress := newDirectoryAddress(t)
	s, _ := newConfiguredShell(t, `locations:
  before: `+newDirectoryAddress(t)+`
  after: `+newAddress+`
  box:
    address: `+newAddress+`
    layers: [{overlay: {old: before, copy_on_read: true}}]
`)
	s.put("before:a", "old")

	require.Equal(t, "old", s.run("cat", "box:a"))

	require.Equal(t, "old", s.run("cat", "after:a"), "the read has copied it")
}

// Layers that make no sense are refused before any command. The message says what is wrong, and
// does not repeat the value. The value may be a secret in the wrong place.
func TestLayersInvalid(t *testing.T) {
	const secret = "hunter2" // also in layers that have it in the wrong place
	tests := []struct {
		name  string
		layer string // in the configuration
		want  string // in the error
	}{
		{
			name:  "an unknown layer",
			layer: "hunter2: {}",
			want:  "a name that is known: diskcache, encrypt, limit, mirror, overlay, readonly",
		},
		{
			name:  "an unknown field",
			layer: "limit: {hunter2: 1}",
			want:  "limit: there must be no other fields than bytes, reads, writes, lists",
		},
		{name: "two in one", layer: "{readonly: {}, limit: {reads: 1}}", want: "must have one name"},
		{name: "none", layer: "{}", want: "must have one name"},
		{
			name:  "a negative limit",
			layer: "limit: {reads: -1}",
			want:  "limit: Config.Requests must have numbers from 0.001",
		},
		{name: "no rate", layer: "limit: {bytes: hunter2}", want: "limit: timetable must have rates"},
		{
			name:  "a relative directory",
			layer: "diskcache: {dir: hunter2}",
			want:  "diskcache: dir must be an absolute path",
		},
		{name: "no size", layer: "diskcache: {dir: /c, max: hunter2}", want: "diskcache: max must be a size"},
		{
			name:  "no duration",
			layer: "diskcache: {dir: /c, trust: hunter2}",
			want:  "diskcache: trust must be a duration",
		},
		{
			name:  "no identity",
			layer: "encrypt: {}",
			want:  "encrypt: identity_file, identity_variable or recipients must be set",
		},
		{
			name:  "two places of identities",
			layer: "encrypt: {identity_file: /hunter2, identity_variable: A}",
			want:  "must not be used together",
		},
		{
			name:  "an identity in place of its file",
			layer: "encrypt: {identity_file: AGE-SECRET-KEY-hunter2}",
			want:  "identity_file must be an absolute path",
		},
		{
			name:  "an identity in place of its variable",
			layer: "encrypt: {identity_variable: AGE-SECRET-KEY-hunter2}",
			want:  "must be the name of an environment variable",
		},
		{
			name:  "an identity in place of a recipient",
			layer: "encrypt: {recipients: [AGE-SECRET-KEY-hunter2]}",
			want:  "recipients must be public keys of age",
		},
		{
			name:  "an address in place of a name",
			layer: "mirror: s3://hunter2",
			want:  "mirror: the second store must be the name of a location",
		},
		{
			name:  "an address in place of an old store",
			layer: "overlay: {old: s3://hunter2}",
			want:  "overlay: the second store must be the name of a location",
		},
		{
			name:  "no old store",
			layer: "overlay: {keep_old: true}",
			want:  "overlay: old must name the location of the old store",
		},
		{
			name:  "two layers of two stores in one",
			layer: "{mirror: a, overlay: {old: hunter2}}",
			want:  "must have one name",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newLayeredShell(t, "    - "+tt.layer+"\n")
			_, stderr := s.requireExit(exitUsage, "ls", "plain:")
			require.Contains(t, stderr, tt.want)
			require.NotContains(t, stderr, secret)
		})
	}
}
