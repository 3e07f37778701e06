package main

import (
	"bytes"
	"crypto/tls"
	"encoding/pem"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"github.com/vmware-tanzu/velero/pkg/persistence"
	"github.com/vmware-tanzu/velero/pkg/plugin/velero"

	"github.com/omnibucket/storage/internal/testing/freshbucket"
	"github.com/omnibucket/storage/internal/testing/minio"
	"github.com/omnibucket/storage/internal/testing/signingkey"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/s3server"
)

type remoteStore = velero.ObjectStore

// stores are the stores on which Velero keeps backups.
var stores = []struct {
	name        string
	location    func(t *testing.T) location
	wantSignErr string // part of the error of a store that signs no URLs; "" if it signs them
}{
	{
		name: "memory",
		location: func(*testing.T) location {
			return location{bucket: "backups", config: map[string]string{"bucketURL": "mem://backups"}}
		},
		wantSignErr: "WithSigningBaseURL",
	},
	{
		name: "directory",
		location: func(t *testing.T) location {
			dir := filepath.ToSlash(t.TempDir())
			return location{
				bucket: "backups",
				config: map[string]string{"bucketURL": "file://" + dir + "/backups?create=true"},
			}
		},
		wantSignErr: "WithSigningBaseURL",
	},
	{
		name: "our S3 server",
		location: func(t *testing.T) location {
			return locationOn(s3server.ForTest(t, s3server.Config{Buckets: []string{"backups"}}))
		},
	},
	{
		name: "MinIO",
		location: func(t *testing.T) location {
			c := minio.Config(t)
			t.Setenv("AWS_ACCESS_KEY_ID", c.AccessKeyID)
			t.Setenv("AWS_SECRET_ACCESS_KEY", c.SecretKey)
			return newLocation(t, "s3", url.Values{
				"region":   {c.Region},
				"endpoint": {c.Endpoint},
				"profile":  {"minio"},
			})
		},
	},
	{
		name: "Google",
		location: func(t *testing.T) location {
			key := filepath.Join(t.TempDir(), "key.json")
			require.NoError(t, os.WriteFile(key, signingkey.File(), 0o600))
			loc := newLocation(t, "gs", url.Values{
				"anonymous": {"true"},
				"project":   {"project"},
				"endpoint":  {testserver.Need(t, "OMNIBUCKET_TEST_GCS")},
			})
			loc.config["signing_key"] = key
			return loc
		},
	},
	{
		name: "Azure",
		location: func(t *testing.T) location {
			endpoint := testserver.Need(t, "OMNIBUCKET_TEST_AZURITE")
			account := os.Getenv("OMNIBUCKET_TEST_AZURITE_ACCOUNT")
			key := os.Getenv("OMNIBUCKET_TEST_AZURITE_KEY")
			t.Setenv("AZURE_STORAGE_CONNECTION_STRING", "")
			t.Setenv("AZURE_STORAGE_ACCOUNT", account)
			t.Setenv("AZURE_STORAGE_KEY", key)
			loc := newLocation(t, "azblob", url.Values{"account": {account}, "endpoint": {endpoint}})
			t.Setenv("AZURE_STORAGE_KEY", "")
			loc.credentials = "AZURE_CLOUD_NAME=AzurePublicCloud\nAZURE_STORAGE_ACCOUNT_ACCESS_KEY=" + key + "\n"
			return loc
		},
	},
}

// newLocation creates a bucket on a server, and returns its location.
func newLocation(t *testing.T, scheme string, query url.Values) location {
	t.Helper()
	address := freshbucket.Address(t, scheme, query)
	u, err := url.Parse(address)
	require.NoError(t, err)
	return location{bucket: u.Host, config: map[string]string{"bucketURL": address}}
}

// locationOn returns the location of the bucket backups on a server, with its credentials in a file.
func locationOn(server *s3server.Server) location {
	key := server.Credentials()
	return location{
		bucket: "backups",
		config: map[string]string{
			"bucketURL": "s3://backups?region=us-east-1",
			"endpoint":  server.URL,
			"profile":   "omnibucket",
		},
		credentials: "[default]\naws_access_key_id = " + key.AccessKeyID + "\naws_secret_access_key = " + key.SecretKey + "\n",
	}
}

// Velero puts a backup, lists and reads it, signs URLs for its users, and deletes it, on each store.
func TestBackupStore(t *testing.T) {
	for _, tt := range stores {
		t.Run(tt.name, func(t *testing.T) {
			loc := tt.location(t)
			backups, err := newHost(t).backupStore(loc)
			require.NoError(t, err)
			require.NoError(t, backups.IsValid())

			// Two backups are stored.
			const moreThanOnePart = 9 << 20
			contents := randomBytes(moreThanOnePart)
			names, err := backups.ListBackups()
			require.NoError(t, err)
			require.Empty(t, names)
			for _, name := range []string{"nightly", "weekly"} {
				require.NoError(t, backups.PutBackup(persistence.BackupInfo{
					Name:     name,
					Metadata: strings.NewReader(metadataOf(name)),
					Contents: bytes.NewReader(contents),
					Log:      strings.NewReader("log of " + name),
				}))
			}

			// The backups are listed.
			require.NoError(t, backups.IsValid())
			names, err = backups.ListBackups()
			require.NoError(t, err)
			require.Equal(t, []string{"nightly", "weekly"}, names)

			// The objects of a backup can be read, even if one is missing.
			metadata, err := backups.GetBackupMetadata("nightly")
			require.NoError(t, err)
			require.Equal(t, "nightly", metadata.Name)
			r, err := backups.GetBackupContents("nightly")
			require.NoError(t, err)
			read, err := io.ReadAll(r)
			require.NoError(t, err)
			require.NoError(t, r.Close())
			require.Equal(t, contents, read)
			infos, err := backups.GetPodVolumeBackups("nightly")
			require.NoError(t, err, "an object that is missing")
			require.Empty(t, infos)

			// A signed URL leads to the log of a backup.
			logOfWeekly := velerov1.DownloadTarget{Kind: velerov1.DownloadTargetKindBackupLog, Name: "weekly"}
			signedURL, err := backups.GetDownloadURL(logOfWeekly)
			if tt.wantSignErr != "" {
				require.ErrorContains(t, err, "unsupported")
				require.ErrorContains(t, err, tt.wantSignErr)
			} else {
				require.NoError(t, err)
				require.Equal(t, "log of weekly", download(t, signedURL))
			}

			// A backup can be deleted, even if it is already gone.
			require.NoError(t, backups.DeleteBackup("nightly"))
			names, err = backups.ListBackups()
			require.NoError(t, err)
			require.Equal(t, []string{"weekly"}, names)
			exists, err := backups.BackupExists(loc.bucket, "nightly")
			require.NoError(t, err)
			require.False(t, exists)
			require.NoError(t, backups.DeleteBackup("nightly"), "it is already gone")
		})
	}
}

// download returns what a URL leads to, without any header, as "velero backup logs" does.
func download(t *testing.T, address string) string {
	t.Helper()
	response, err := http.Get(address)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode, string(text))
	return string(text)
}

// randomBytes returns n bytes that cannot be compressed, the same each time.
func randomBytes(n int) []byte {
	var seed [32]byte
	text := make([]byte, n)
	_, _ = rand.NewChaCha8(seed).Read(text)
	return text
}

// If the location of the configuration has an encrypting layer, the store has only encrypted bytes,
// and Velero reads the plain ones.
func TestBackupStoreWithLayers(t *testing.T) {
	// The location offsite encrypts with this key.
	dir := filepath.ToSlash(t.TempDir())
	t.Setenv("BACKUP_KEY", "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX")
	backups, err := newHost(t).backupStore(location{bucket: "backups", config: map[string]string{
		"bucketURL": "offsite",
		"configuration": `
locations:
  offsite:
    address: file://` + dir + `/backups?create=true
    layers:
      - encrypt: {identity_variable: BACKUP_KEY}
`,
	}})
	require.NoError(t, err)

	require.NoError(t, backups.PutBackup(persistence.BackupInfo{
		Name:     "nightly",
		Metadata: strings.NewReader(metadataOf("nightly")),
		Contents: strings.NewReader("secret content"),
	}))

	// Velero reads the plain bytes.
	r, err := backups.GetBackupContents("nightly")
	require.NoError(t, err)
	got, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Equal(t, "secret content", string(got))

	// The store has only encrypted bytes, so that no URL can lead to the plain ones.
	stored, err := os.ReadFile(dir + "/backups/cluster/backups/nightly/nightly.tar.gz")
	require.NoError(t, err)
	require.NotContains(t, string(stored), "secret content")
	_, err = backups.GetDownloadURL(
		velerov1.DownloadTarget{Kind: velerov1.DownloadTargetKindBackupContents, Name: "nightly"})
	require.ErrorContains(t, err, "unsupported")
}

// The field caCert of a location makes the plugin trust a server whose certificate has an authority of its own. The
// plugin still trusts the certificates of the system or of AWS_CA_BUNDLE.
func TestCACert(t *testing.T) {
	server := s3server.ForTest(t, s3server.Config{Buckets: []string{"backups"}, TLS: &tls.Config{}})

	// The bundle has the certificate of another server.
	serverOfBundle := s3server.ForTest(t, s3server.Config{Buckets: []string{"backups"}, TLS: &tls.Config{}})
	bundle := filepath.Join(t.TempDir(), "bundle.pem")
	require.NoError(t, os.WriteFile(bundle, []byte(certificateOf(serverOfBundle)), 0o600))
	tests := []struct {
		name   string
		bundle string // AWS_CA_BUNDLE
	}{
		{name: "the certificates of the system", bundle: ""},
		{name: "a bundle for S3", bundle: bundle},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("AWS_CA_BUNDLE", tt.bundle)

			// Without caCert, the plugin does not trust the server.
			loc := locationOn(server)
			backups, err := newHost(t).backupStore(loc)
			require.NoError(t, err)
			require.ErrorContains(t, backups.IsValid(), "certificate")

			// With caCert, the plugin trusts the server.
			loc.caCert = certificateOf(server)
			h := newHost(t)
			backups, err = h.backupStore(loc)
			require.NoError(t, err)
			require.NoError(t, backups.IsValid())

			// With caCert, the plugin still trusts the certificates of the bundle.
			if tt.bundle != "" {
				loc = locationOn(serverOfBundle)
				loc.caCert = certificateOf(server)
				backups, err = h.backupStore(loc)
				require.NoError(t, err)
				require.NoError(t, backups.IsValid(), "the bundle must still be trusted")
			}
		})
	}
}

// certificateOf returns the certificate of a server in PEM.
func certificateOf(server *s3server.Server) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
}

// For a missing object, ObjectExists and DeleteObject succeed. GetObject succeeds, too, because Velero does not wait
// for the response, and the reader that it returns fails.
func TestObjectStoreWithoutTheObject(t *testing.T) {
	s := newMemoryStore(t)

	exists, err := s.ObjectExists("backups", "missing")
	require.NoError(t, err)
	require.False(t, exists)

	require.NoError(t, s.DeleteObject("backups", "missing"))

	r, err := s.GetObject("backups", "missing")
	require.NoError(t, err)
	_, err = io.ReadAll(r)
	require.ErrorContains(t, err, "object not found")
}

// ListCommonPrefixes returns the common prefixes below a prefix, each with its delimiter, and
// ListObjects returns the keys.
func TestObjectStoreListings(t *testing.T) {
	s := newMemoryStore(t)
	objects := []string{
		"a-prefix/foo-1/bar",
		"a-prefix/foo-1/baz",
		"a-prefix/foo-2/baz",
		"some-other-prefix/foo-3/bar",
	}
	for _, key := range objects {
		require.NoError(t, s.PutObject("backups", key, strings.NewReader(key)))
	}

	// The delimiter may be any text. Without a delimiter, there is no common prefix.
	prefixes, err := s.ListCommonPrefixes("backups", "a-prefix/", "/")
	require.NoError(t, err)
	require.Equal(t, []string{"a-prefix/foo-1/", "a-prefix/foo-2/"}, prefixes)
	prefixes, err = s.ListCommonPrefixes("backups", "", "-")
	require.NoError(t, err)
	require.Equal(t, []string{"a-", "some-"}, prefixes)
	prefixes, err = s.ListCommonPrefixes("backups", "", "")
	require.NoError(t, err)
	require.Empty(t, prefixes)

	// ListObjects returns the keys with a prefix, in the bucket of the location.
	keys, err := s.ListObjects("backups", "a-prefix/foo-1")
	require.NoError(t, err)
	require.Equal(t, []string{"a-prefix/foo-1/bar", "a-prefix/foo-1/baz"}, keys)
	_, err = s.ListObjects("elsewhere", "")
	require.ErrorContains(t, err, `bucket "elsewhere" must be opened`)
}

// newMemoryStore returns Velero's client of the plugin, with a bucket in memory.
func newMemoryStore(t *testing.T) remoteStore {
	t.Helper()
	s, err := newHost(t).objectStore(location{
		bucket: "backups",
		config: map[string]string{"bucketURL": "mem://backups"},
	})
	require.NoError(t, err)
	return s
}

// The plugin refuses keys that a store should not have, and keeps running.
func TestHostileKeys(t *testing.T) {
	dir := t.TempDir()
	s, err := newHost(t).objectStore(location{bucket: "backups", config: map[string]string{
		"bucketURL": "file://" + filepath.ToSlash(dir) + "/backups?create=true",
	}})
	require.NoError(t, err)

	refused := []string{
		"", "/", "/etc/passwd", "a//b", "../outside", "a/../../outside", "a/.", "folder/", "a\x00b", "a\nb", "a\\b", "\xff",
		strings.Repeat("k", 1025),
	}
	for _, key := range refused {
		require.Error(t, s.PutObject("backups", key, strings.NewReader("x")), "%q", key)
		_, err := s.CreateSignedURL("backups", key, time.Minute)
		require.Error(t, err, "%q", key)
	}

	stored := []string{"ü/日本/🪣", "a b+c%20?x=#y", strings.Repeat("k", 200)}
	for _, key := range stored {
		require.NoError(t, s.PutObject("backups", key, strings.NewReader(key)), "%q", key)
		r, err := s.GetObject("backups", key)
		require.NoError(t, err)
		got, err := io.ReadAll(r)
		require.NoError(t, err)
		require.Equal(t, key, string(got))
	}

	// The bucket has only the second kind of keys.
	keys, err := s.ListObjects("backups", "")
	require.NoError(t, err)
	require.Len(t, keys, len(stored))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing may be written beside the bucket")
}

// If the plugin is killed during an upload, nothing of the object is stored, and Velero starts the
// plugin again.
func TestPutIsKilled(t *testing.T) {
	server := s3server.ForTest(t, s3server.Config{Buckets: []string{"backups"}})
	h := newHost(t)
	backups, err := h.backupStore(locationOn(server))
	require.NoError(t, err)

	// The plugin is killed after 20 MiB of the upload.
	body := &killingBody{after: 20 << 20, kill: h.kill}
	err = backups.PutBackupContents("nightly", body)
	require.Error(t, err)
	require.True(t, body.killed)
	require.Empty(t, keysIn(t, server))

	// The next uploads use a new process of the plugin.
	require.Eventually(t, func() bool {
		return backups.PutBackupContents("nightly", strings.NewReader("whole")) == nil
	}, time.Minute, 10*time.Millisecond, "Velero must start a new process once the old one has ended")
	require.Equal(t, []string{"cluster/backups/nightly/nightly.tar.gz"}, keysIn(t, server))
}

// kill kills the process of the plugin. On a system without /proc, Velero's manager ends it.
func (h *host) kill() {
	names, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(h.t, err)
	if len(names) == 0 {
		h.manager.CleanupClients()
	}
	for _, name := range names {
		command, _ := os.ReadFile(name)
		if !strings.HasPrefix(string(command), h.plugins) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		require.NoError(h.t, err)
		plugin, err := os.FindProcess(pid)
		require.NoError(h.t, err)
		require.NoError(h.t, plugin.Kill())
	}
}

// keysIn returns the keys of the objects in the bucket of a server.
func keysIn(t *testing.T, server *s3server.Server) (keys []string) {
	t.Helper()
	for entry, err := range server.Bucket("backups").List(t.Context()) {
		require.NoError(t, err)
		keys = append(keys, entry.Key)
	}
	return keys
}

// A killingBody kills a process after some bytes were read, and then continues for the same number of bytes.
type killingBody struct {
	after, read int
	kill        func()
	killed      bool
}

// Read kills the plugin when it has returned b.after bytes. The body has twice as many.
func (b *killingBody) Read(buf []byte) (int, error) {
	if b.read >= 2*b.after {
		return 0, io.EOF
	}
	if b.read >= b.after && !b.killed {
		b.kill()
		b.killed = true
	}
	b.read += len(buf)
	return len(buf), nil
}

// Velero shows why the store refused an object that was not yet sent completely, and not "EOF".
func TestPutErrorIsTheStores(t *testing.T) {
	server := s3server.ForTest(t, s3server.Config{Buckets: []string{"backups"}})
	loc := locationOn(server)
	loc.bucket = "missing"
	loc.config["bucketURL"] = "s3://missing?region=us-east-1"
	backups, err := newHost(t).backupStore(loc)
	require.NoError(t, err)

	err = backups.PutBackupContents("nightly", bytes.NewReader(randomBytes(40<<20)))

	require.ErrorContains(t, err, "bucket not found")
}

// If the store does not respond, each call fails after the timeout.
func TestStoreHangs(t *testing.T) {
	server := s3server.ForTest(t, s3server.Config{Buckets: []string{"backups"}})
	loc := locationOn(server)
	loc.config["timeout"] = "1s"
	backups, err := newHost(t).backupStore(loc)
	require.NoError(t, err)
	require.NoError(t, backups.PutBackupContents("nightly", bytes.NewReader(randomBytes(1<<20))))

	// A response stops after its first bytes.
	const firstBytes int64 = 1000
	undo := server.Inject(s3server.Fault{Operation: "GetObject", StallAfter: new(firstBytes)})
	r, err := backups.GetBackupContents("nightly")
	require.NoError(t, err)
	_, err = io.ReadAll(r)
	require.ErrorContains(t, err, "no progress for 1s")
	undo()

	// No response begins.
	server.Inject(s3server.Fault{Latency: time.Hour})
	tests := []struct {
		name string
		call func() error
	}{
		{name: "list", call: backups.IsValid},
		{
			name: "put",
			call: func() error {
				return backups.PutBackupContents("weekly", bytes.NewReader(randomBytes(20<<20)))
			},
		},
		{
			name: "get",
			call: func() error {
				_, err := backups.GetBackupMetadata("nightly")
				return err
			},
		},
		{
			name: "exists",
			call: func() error {
				_, err := backups.GetPodVolumeBackups("nightly")
				return err
			},
		},
		{
			name: "delete",
			call: func() error {
				return backups.DeleteBackup("nightly")
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			begin := time.Now()
			require.ErrorContains(t, tt.call(), "no progress for 1s")
			require.Less(t, time.Since(begin), time.Minute)
		})
	}
}

// An upload to a slow store may take longer than the timeout, because bytes are moving.
func TestStoreIsSlow(t *testing.T) {
	const (
		timeout   = 4 * time.Second
		size      = 128 << 20
		bandwidth = 4 << 20 // bytes a second
	)
	server := s3server.ForTest(t, s3server.Config{Buckets: []string{"backups"}})
	loc := locationOn(server)
	loc.config["timeout"] = timeout.String()
	loc.config["part_size"] = "5242880"
	backups, err := newHost(t).backupStore(loc)
	require.NoError(t, err)
	server.Inject(s3server.Fault{Bandwidth: bandwidth})

	begin := time.Now()
	require.NoError(t, backups.PutBackupContents("nightly", bytes.NewReader(randomBytes(size))))

	require.Greater(t, time.Since(begin), timeout)
}

// If the store is down, calls fail with the reason.
func TestStoreIsDown(t *testing.T) {
	server := s3server.ForTest(t, s3server.Config{Buckets: []string{"backups"}})
	loc := locationOn(server)
	loc.config["timeout"] = "5s"
	server.Close()
	backups, err := newHost(t).backupStore(loc)
	require.NoError(t, err, "opening must make no request")

	require.ErrorContains(t, backups.IsValid(), "connection refused")
	err = backups.PutBackupContents("nightly", strings.NewReader("x"))
	require.ErrorContains(t, err, "connection refused")
}

// No secret is in the log of Velero and the plugin, or in an error.
func TestSecretsAreNotLogged(t *testing.T) {
	server := s3server.ForTest(t, s3server.Config{Buckets: []string{"backups"}})
	secret := server.Credentials().SecretKey
	h := newHost(t)
	backups, err := h.backupStore(locationOn(server))
	require.NoError(t, err)
	require.NoError(t, backups.PutBackupContents("nightly", strings.NewReader("x")))

	// The server denies access.
	server.Inject(s3server.Fault{Error: "AccessDenied"})
	denied := backups.IsValid()
	require.Error(t, denied)

	// The secret is in a wrong place of the configuration: in a parameter that does not exist, or in the address.
	withParameter := locationOn(server)
	withParameter.config["secret_key"] = secret
	_, parameterErr := h.backupStore(withParameter)
	require.ErrorContains(t, parameterErr, "secret_key")

	withAddress := locationOn(server)
	withAddress.config["bucketURL"] = "s3://key:" + secret + "@backups"
	_, addressErr := h.backupStore(withAddress)
	require.Error(t, addressErr)

	// Neither the errors nor the log may show the secret.
	for _, err := range []error{denied, parameterErr, addressErr} {
		require.NotContains(t, err.Error(), secret)
	}
	require.NotContains(t, h.printed.String(), secret)
}

// The plugin skips reads of 0 bytes, because Velero takes one for the end of the object.
func TestReadBodySkipsEmptyReads(t *testing.T) {
	ctx, p := newProgress(time.Minute)
	body := &readBody{ctx, io.NopCloser(&emptyReads{text: "abc"}), p}
	buf := make([]byte, 10)

	n, err := body.Read(buf)

	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.NoError(t, body.Close())
}

// An emptyReads returns one byte with every other Read, and none with the rest.
type emptyReads struct {
	text  string
	empty bool
}

// Read returns no byte and one byte by turns.
func (r *emptyReads) Read(buf []byte) (int, error) {
	r.empty = !r.empty
	if r.empty {
		return 0, nil
	}
	n := copy(buf, r.text[:min(1, len(r.text))])
	r.text = r.text[n:]
	return n, nil
}
