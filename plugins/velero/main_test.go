package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"github.com/vmware-tanzu/velero/pkg/persistence"
	"github.com/vmware-tanzu/velero/pkg/plugin/clientmgmt"
	"github.com/vmware-tanzu/velero/pkg/plugin/clientmgmt/process"
	"github.com/vmware-tanzu/velero/pkg/plugin/framework"
)

// TestMain runs the program as the plugin if it is started under the plugin's name, as a Velero
// without built-in plugins if it is started with run-plugins, and otherwise as the tests.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == programName {
		main()
		return
	}
	if len(os.Args) > 1 && os.Args[1] == "run-plugins" {
		framework.NewServer().Serve()
		return
	}
	flag.Parse()
	// Velero passes its own arguments to each plugin, so they are those of a server.
	os.Args = []string{
		os.Args[0], "server", "--features=EnableCSI", "--uploader-type=kopia", "--log-level=debug",
	}
	os.Exit(m.Run())
}

// A host is Velero with the plugin in its directory of plugins.
type host struct {
	t        *testing.T
	registry process.Registry
	manager  clientmgmt.Manager
	log      *logrus.Logger
	printed  *lockedBuffer // log of Velero and of the plugin
	plugins  string        // directory
}

// newHost installs the plugin as its image does, and lets Velero find it.
func newHost(t *testing.T) *host {
	t.Helper()
	program, err := os.Executable()
	require.NoError(t, err)
	image := filepath.Join(t.TempDir(), programName)
	require.NoError(t, os.Symlink(program, image))
	plugins := t.TempDir()
	installed, err := os.StartProcess(image, []string{image, "install", plugins}, &os.ProcAttr{
		Env: os.Environ(),
	})
	require.NoError(t, err)
	state, err := installed.Wait()
	require.NoError(t, err)
	require.True(t, state.Success())

	h := &host{t: t, log: logrus.New(), printed: &lockedBuffer{}, plugins: plugins}
	h.log.SetOutput(h.printed)
	h.log.SetLevel(logrus.DebugLevel)
	h.registry = process.NewRegistry(plugins, h.log, logrus.DebugLevel)
	require.NoError(t, h.registry.DiscoverPlugins())
	h.manager = clientmgmt.NewManager(h.log, logrus.DebugLevel, h.registry)
	t.Cleanup(func() {
		h.manager.CleanupClients()
	})
	return h
}

// A location has what Velero's BackupStorageLocation says of a bucket.
type location struct {
	bucket      string
	config      map[string]string
	credentials string // content of the file, or ""
	caCert      string
}

// backupStore returns Velero's store of backups at loc, with the prefix "cluster".
func (h *host) backupStore(loc location) (persistence.BackupStore, error) {
	backupLocation := &velerov1.BackupStorageLocation{
		ObjectMeta: metav1.ObjectMeta{Name: "default", Namespace: "velero"},
		Spec: velerov1.BackupStorageLocationSpec{
			Provider: provider,
			Config:   loc.config,
			StorageType: velerov1.StorageType{
				ObjectStorage: &velerov1.ObjectStorageLocation{Bucket: loc.bucket, Prefix: "cluster"},
			},
		},
	}
	if loc.caCert != "" {
		backupLocation.Spec.ObjectStorage.CACertRef = &corev1.SecretKeySelector{Key: "ca"}
	}
	var secret secretFile
	if loc.credentials != "" {
		secret = secretFile(filepath.Join(h.t.TempDir(), "cloud"))
		require.NoError(h.t, os.WriteFile(string(secret), []byte(loc.credentials), 0o600))
		backupLocation.Spec.Credential = &corev1.SecretKeySelector{Key: "cloud"}
	}
	getter := persistence.NewObjectBackupStoreGetterWithSecretStore(secret, secretText(loc.caCert))
	return getter.Get(backupLocation, h.manager, h.log)
}

// A secretFile is the path of the file into which Velero writes a secret of the cluster.
type secretFile string

func (f secretFile) Path(*corev1.SecretKeySelector) (string, error) { return string(f), nil }

// A secretText is a secret of the cluster.
type secretText string

func (s secretText) Get(*corev1.SecretKeySelector) (string, error) { return string(s), nil }

// objectStore returns Velero's client of the plugin, which has opened loc.
func (h *host) objectStore(loc location) (store remoteStore, err error) {
	store, err = h.manager.GetObjectStore(provider)
	require.NoError(h.t, err)
	config := map[string]string{keyBucket: loc.bucket, keyPrefix: ""}
	for key, value := range loc.config {
		config[key] = value
	}
	return store, store.Init(config)
}

// A lockedBuffer is a buffer for several goroutines.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// metadataOf returns the metadata of a backup, as Velero encodes it.
func metadataOf(name string) string {
	return fmt.Sprintf(`{"apiVersion":"velero.io/v1","kind":"Backup","metadata":{"name":%q},"spec":{},"status":{}}`, name)
}
