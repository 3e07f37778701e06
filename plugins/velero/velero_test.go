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

// stores are the stores on which Velero keeps backups. unsigned is a part of the error of a store that signs no URLs.
var stores = []struct {
	name     string
	place    func(t *testing.T) place
	unsigned string
}{
	{
		name: "memory",
		place: func(*testing.T) place {
			return place{bucket: "backups", config: map[string]string{"bucketURL": "mem://backups"}}
		},
		unsigned: "WithSigningBaseURL",
	},
	{
		name: "directory",
		place: func(t *testing.T) place {
			dir := filepath.ToSlash(t.TempDir())
			return place{
				bucket: "backups",
				config: map[string]string{"bucketURL": "file://" + dir + "/backups?create=true"},
			}
		},
		unsigned: "WithSigningBaseURL",
	},
	{
		name: "our S3 server",
		place: func(t *testing.T) place {
			return placeOf(s3server.ForTest(t, s3server.Config{Buckets: []string{"backups"}}))
		},
	},
	{
		name: "MinIO",
		place: func(t *testing.T) place {
			c := minio.Config(t)
			t.Setenv("AWS_ACCESS_KEY_ID", c.AccessKeyID)
			t.Setenv("AWS_SECRET_ACCESS_KEY", c.SecretKey)
			return placeAt(t, "s3", url.Values{
				"region":   {c.Region},
				"endpoint": {c.Endpoint},
				"profile":  {"minio"},
			})
		},
	},
	{
		name: "Google",
		place: func(t *testing.T) place {
			key := filepath.Join(t.TempDir(), "key.json")
			require.NoError(t, os.WriteFile(key, signingkey.File(), 0o600))
			p := placeAt(t, "gs", url.Values{
				"anonymous": {"true"},
				"project":   {"project"},
				"endpoint":  {testserver.Need(t, "OMNIBUCKET_TEST_GCS")},
			})
			p.config["signing_key"] = key
			return p
		},
	},
	{
		name: "Azure",
		place: func(t *testing.T) place {
			endpoint := testserver.Need(t, "OMNIBUCKET_TEST_AZURITE")
			account := os.Getenv("OMNIBUCKET_TEST_AZURITE_ACCOUNT")
			key := os.Getenv("OMNIBUCKET_TEST_AZURITE_KEY")
			t.Setenv("AZURE_STORAGE_CONNECTION_STRING", "")
			t.Setenv("AZURE_STORAGE_ACCOUNT", account)
			t.Setenv("AZURE_STORAGE_KEY", key)
			p := placeAt(t, "azblob", url.Values{"account": {account}, "endpoint": {endpoint}})
			t.Setenv("AZURE_STORAGE_KEY", "")
			p.credentials = "AZURE_CLOUD_NAME=AzurePublicCloud\nAZURE_STORAGE_ACCOUNT_ACCESS_KEY=" + key + "\n"
			return p
		},
	},
}

// placeAt creates a bucket on a server, and returns its place.
func placeAt(t *testing.T, scheme string, query url.Values) place {
	t.Helper()
	address := freshbucket.Address(t, scheme, query)
	u, err := url.Parse(address)
	require.NoError(t, err)
	return place{bucket: u.Host, config: map[string]string{"bucketURL": address}}
}

// placeOf returns the place of the bucket backups on one of our servers. Its credentials are in a file.
func placeOf(server *s3server.Server) place {
	key := server.Credentials()
	return place{
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
			p := tt.place(t)
			h := newHost(t)
			backups, err := h.backups(p)
			require.NoError(t, err)
			require.NoError(t, backups.IsValid())
			contents := randomBytes(9 << 20) // more than one part

			// Two backups are stored.
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

			// They are listed, and can be read.
			require.NoError(t, backups.IsValid())
			names, err = backups.ListBackups()
			require.NoError(t, err)
			require.Equal(t, []string{"nightly", "weekly"}, names)
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

			signed, err := backups.GetDownloadURL(
				velerov1.DownloadTarget{Kind: velerov1.DownloadTargetKindBackupLog, Name: "weekly"})
			if tt.unsigned != "" {
				require.ErrorContains(t, err, "unsupported")
				require.ErrorContains(t, err, tt.unsigned)
			} else {
				require.NoError(t, err)
				require.Equal(t, "log of weekly", download(t, signed))
			}

			// One is deleted, also if it is gone already.
			require.NoError(t, backups.DeleteBackup("nightly"))
			names, err = backups.ListBackups()
			require.NoError(t, err)
			require.Equal(t, []string{"weekly"}, names)
			exists, err := backups.BackupExists(p.bucket, "nightly")
			require.NoError(t, err)
			require.False(t, exists)
			require.NoError(t, backups.DeleteBackup("nightly"))
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

// A location with a name has layers. The store sees only encrypted bytes, and Velero the plain ones.
func TestBackupStoreWithLayers(t *testing.T) {
	dir := filepath.ToSlash(t.TempDir())
	t.Setenv("BACKUP_KEY", "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX")
	backups, err := newHost(t).backups(place{bucket: "backups", config: map[string]string{
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

	r, err := backups.GetBackupContents("nightly")
	require.NoError(t, err)
	read, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Equal(t, "secret content", string(read))
	stored, err := os.ReadFile(dir + "/backups/cluster/backups/nightly/nightly.tar.gz")
	require.NoError(t, err)
	require.NotContains(t, string(stored), "secret content")
	_, err = backups.GetDownloadURL(
		velerov1.DownloadTarget{Kind: velerov1.DownloadTargetKindBackupContents, Name: "nightly"})
	require.ErrorContains(t, err, "unsupported")
}

// A server with a certificate of its own authority is trusted because of caCert, beside the certificates of the system
// or, for S3, those of AWS_CA_BUNDLE.
func TestCACert(t *testing.T) {
	server := s3server.ForTest(t, s3server.Config{Buckets: []string{"backups"}, TLS: &tls.Config{}})
	other := s3server.ForTest(t, s3server.Config{Buckets: []string{"backups"}, TLS: &tls.Config{}})
	bundle := filepath.Join(t.TempDir(), "bundle.pem")
	require.NoError(t, os.WriteFile(bundle, []byte(certificateOf(other)), 0o600))
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
			p := placeOf(server)
			backups, err := newHost(t).backups(p)
			require.NoError(t, err)
			require.ErrorContains(t, backups.IsValid(), "certificate")

			p.caCert = certificateOf(server)
			h := newHost(t)
			backups, err = h.backups(p)
			require.NoError(t, err)
			require.NoError(t, backups.IsValid())

			if tt.bundle != "" {
				p = placeOf(other)
				p.caCert = certificateOf(server)
				backups, err = h.backups(p)
				require.NoError(t, err)
				require.NoError(t, backups.IsValid(), "the bundle is still trusted")
			}
		})
	}
}

// certificateOf returns the certificate of a server in PEM.
func certificateOf(server *s3server.Server) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
}

// For a missing object, the methods of an object store do what Velero's interface says. GetObject fails only when it is
// read, because Velero does not wait for the response.
func TestObjectStoreWithoutTheObject(t *testing.T) {
	s := memory(t)
	exists, err := s.ObjectExists("backups", "missing")
	require.NoError(t, err)
	require.False(t, exists)
	require.NoError(t, s.DeleteObject("backups", "missing"))
	r, err := s.GetObject("backups", "missing")
	require.NoError(t, err)
	_, err = io.ReadAll(r)
	require.ErrorContains(t, err, "object not found")
}

// Listings have the keys with a prefix, or their common prefixes, which end with the delimiter if there is one.
func TestObjectStoreListings(t *testing.T) {
	s := memory(t)
	objects := []string{
		"a-prefix/foo-1/bar",
		"a-prefix/foo-1/baz",
		"a-prefix/foo-2/baz",
		"some-other-prefix/foo-3/bar",
	}
	for _, key := range objects {
		require.NoError(t, s.PutObject("backups", key, strings.NewReader(key)))
	}

	prefixes, err := s.ListCommonPrefixes("backups", "a-prefix/", "/")
	require.NoError(t, err)
	require.Equal(t, []string{"a-prefix/foo-1/", "a-prefix/foo-2/"}, prefixes)
	prefixes, err = s.ListCommonPrefixes("backups", "", "-")
	require.NoError(t, err)
	require.Equal(t, []string{"a-", "some-"}, prefixes)
	prefixes, err = s.ListCommonPrefixes("backups", "", "")
	require.NoError(t, err)
	require.Empty(t, prefixes)

	keys, err := s.ListObjects("backups", "a-prefix/foo-1")
	require.NoError(t, err)
	require.Equal(t, []string{"a-prefix/foo-1/bar", "a-prefix/foo-1/baz"}, keys)
	_, err = s.ListObjects("elsewhere", "")
	require.ErrorContains(t, err, `bucket "elsewhere" must be opened`)
}

// memory returns Velero's end of the plugin with a bucket in memory.
func memory(t *testing.T) remoteStore {
	t.Helper()
	s, err := newHost(t).store(place{
		bucket: "backups",
		config: map[string]string{"bucketURL": "mem://backups"},
	})
	require.NoError(t, err)
	return s
}

// A key that no store should have is refused, and the plugin still runs.
func TestHostileKeys(t *testing.T) {
	dir := t.TempDir()
	s, err := newHost(t).store(place{bucket: "backups", config: map[string]string{
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
		read, err := io.ReadAll(r)
		require.NoError(t, err)
		require.Equal(t, key, string(read))
	}

	keys, err := s.ListObjects("backups", "")
	require.NoError(t, err)
	require.Len(t, keys, len(stored))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing is beside the bucket")
}

// If the plugin is killed, nothing of the object is stored, and Velero starts the plugin again.
func TestPutIsKilled(t *testing.T) {
	server := s3server.ForTest(t, s3server.Config{Buckets: []string{"backups"}})
	h := newHost(t)
	backups, err := h.backups(placeOf(server))
	require.NoError(t, err)

	body := &killingBody{after: 20 << 20, kill: h.kill}
	err = backups.PutBackupContents("nightly", body)

	require.Error(t, err)
	require.True(t, body.killed)
	require.Empty(t, keysIn(t, server))
	require.Eventually(t, func() bool {
		return backups.PutBackupContents("nightly", strings.NewReader("whole")) == nil
	}, time.Minute, 10*time.Millisecond, "Velero starts a new process when it has noticed the end of the old one")
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

// Read kills the plugin when it has returned b.after bytes. It ends after twice as many.
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

// Velero shows why the store refused an object, and not "EOF", although it has not sent all of it.
func TestPutErrorIsTheStores(t *testing.T) {
	server := s3server.ForTest(t, s3server.Config{Buckets: []string{"backups"}})
	p := placeOf(server)
	p.bucket = "missing"
	p.config["bucketURL"] = "s3://missing?region=us-east-1"
	backups, err := newHost(t).backups(p)
	require.NoError(t, err)

	err = backups.PutBackupContents("nightly", bytes.NewReader(randomBytes(40<<20)))

	require.ErrorContains(t, err, "bucket not found")
}

// If the store does not respond, each call fails after the timeout.
func TestStoreHangs(t *testing.T) {
	server := s3server.ForTest(t, s3server.Config{Buckets: []string{"backups"}})
	p := placeOf(server)
	p.config["timeout"] = "1s"
	backups, err := newHost(t).backups(p)
	require.NoError(t, err)
	require.NoError(t, backups.PutBackupContents("nightly", bytes.NewReader(randomBytes(1<<20))))

	// A response stops after its first bytes.
	undo := server.Inject(s3server.Fault{Operation: "GetObject", StallAfter: new(int64(1000))})
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
		begin := time.Now()
		require.ErrorContains(t, tt.call(), "no progress for 1s", tt.name)
		require.Less(t, time.Since(begin), time.Minute, tt.name)
	}
}

// A store that is slow is no store that hangs: an upload takes longer than the timeout while bytes move.
func TestStoreIsSlow(t *testing.T) {
	const timeout = 4 * time.Second
	server := s3server.ForTest(t, s3server.Config{Buckets: []string{"backups"}})
	p := placeOf(server)
	p.config["timeout"] = timeout.String()
	p.config["part_size"] = "5242880"
	backups, err := newHost(t).backups(p)
	require.NoError(t, err)
	server.Inject(s3server.Fault{Bandwidth: 4 << 20})
	begin := time.Now()

	require.NoError(t, backups.PutBackupContents("nightly", bytes.NewReader(randomBytes(128<<20))))

	require.Greater(t, time.Since(begin), timeout)
}

// If the store is down, calls fail with the reason.
func TestStoreIsDown(t *testing.T) {
	server := s3server.ForTest(t, s3server.Config{Buckets: []string{"backups"}})
	p := placeOf(server)
	p.config["timeout"] = "5s"
	server.Close()
	backups, err := newHost(t).backups(p)
	require.NoError(t, err, "opening makes no request")

	require.ErrorContains(t, backups.IsValid(), "connection refused")
	require.ErrorContains(t, backups.PutBackupContents("nightly", strings.NewReader("x")),
		"connection refused")
}

// Neither the log of Velero and the plugin nor an error has a secret.
func TestSecretsAreNotLogged(t *testing.T) {
	server := s3server.ForTest(t, s3server.Config{Buckets: []string{"backups"}})
	secret := server.Credentials().SecretKey
	h := newHost(t)
	backups, err := h.backups(placeOf(server))
	require.NoError(t, err)
	require.NoError(t, backups.PutBackupContents("nightly", strings.NewReader("x")))

	// The server denies access.
	server.Inject(s3server.Fault{Error: "AccessDenied"})
	denied := backups.IsValid()
	require.Error(t, denied)

	// The secret is in a wrong place of the configuration.
	wrong := placeOf(server)
	wrong.config["secret_key"] = secret
	_, parameterErr := h.backups(wrong)
	require.ErrorContains(t, parameterErr, "secret_key")

	wrong = placeOf(server)
	wrong.config["bucketURL"] = "s3://key:" + secret + "@backups"
	_, addressErr := h.backups(wrong)
	require.Error(t, addressErr)

	for _, err := range []error{denied, parameterErr, addressErr} {
		require.NotContains(t, err.Error(), secret)
	}
	require.NotContains(t, h.printed.String(), secret)
}

// A Read of 0 bytes without an error would be the end of the object for Velero.
func TestReadBodySkipsEmptyReads(t *testing.T) {
	ctx, p := newProgress(time.Minute)
	body := &readBody{ctx, io.NopCloser(&emptyReads{text: "abc"}), p}
	buf := make([]byte, 10)

	n, err := body.Read(buf)

	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.NoError(t, body.Close())
}

// An emptyReads returns one byte with each second Read.
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
